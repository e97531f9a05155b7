internal import Foundation

/// A type whose JSON is known.
protocol SchemaLeaf {
    static var leafSchema: JSONValue { get }
    static var sample: Self { get }
}

extension Bool: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "boolean"] }
    static var sample: Bool { false }
}

extension String: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "string"] }
    static var sample: String { "" }
}

extension FixedWidthInteger {
    /// What both the type and ``JSONValue`` can hold.
    fileprivate static var integerSchema: JSONValue {
        var members: [String: JSONValue] = ["type": "integer"]
        if Self.bitWidth >= 64 {
            members["format"] = "int64"
        } else if Self.self == Int32.self {
            members["format"] = "int32"
        } else {
            members["maximum"] = .int(Int64(Self.max))
        }
        if !Self.isSigned {
            members["minimum"] = 0
        } else if Self.bitWidth < 32 {
            members["minimum"] = .int(Int64(Self.min))
        }
        return .object(members)
    }
}

extension Int: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: Int { 0 }
}

extension Int8: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: Int8 { 0 }
}

extension Int16: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: Int16 { 0 }
}

extension Int32: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: Int32 { 0 }
}

extension Int64: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: Int64 { 0 }
}

extension UInt: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: UInt { 0 }
}

extension UInt8: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: UInt8 { 0 }
}

extension UInt16: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: UInt16 { 0 }
}

extension UInt32: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: UInt32 { 0 }
}

extension UInt64: SchemaLeaf {
    static var leafSchema: JSONValue { Self.integerSchema }
    static var sample: UInt64 { 0 }
}

extension Double: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "number"] }
    static var sample: Double { 0 }
}

extension Float: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "number", "format": "float"] }
    static var sample: Float { 0 }
}

extension Decimal: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "number"] }
    static var sample: Decimal { 0 }
}

extension Date: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "string", "format": "date-time"] }
    static var sample: Date { Date(timeIntervalSince1970: 0) }
}

extension UUID: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "string", "format": "uuid"] }
    static var sample: UUID { UUID() }
}

extension URL: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "string", "format": "uri"] }
    static var sample: URL { URL(filePath: "/") }
}

extension Data: SchemaLeaf {
    static var leafSchema: JSONValue { ["type": "string", "contentEncoding": "base64"] }
    static var sample: Data { Data() }
}

extension JSONValue: SchemaLeaf {
    static var leafSchema: JSONValue { true }
    static var sample: JSONValue { .null }
}
