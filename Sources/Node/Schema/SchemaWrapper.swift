/// A type that is known but for what it holds, and has a value without any: what it holds needs none.
protocol SchemaWrapper {
    static func schema(_ derivation: SchemaDerivation) throws -> JSONValue
    static var emptySample: Self { get }
}

extension Optional: SchemaWrapper where Wrapped: Decodable {
    static func schema(_ derivation: SchemaDerivation) throws -> JSONValue {
        SchemaDerivation.nullable(try derivation.schema(of: Wrapped.self))
    }
    static var emptySample: Wrapped? { nil }
}

extension Array: SchemaWrapper where Element: Decodable {
    static func schema(_ derivation: SchemaDerivation) throws -> JSONValue {
        ["type": "array", "items": try derivation.schema(of: Element.self)]
    }
    static var emptySample: [Element] { [] }
}

extension Set: SchemaWrapper where Element: Decodable {
    static func schema(_ derivation: SchemaDerivation) throws -> JSONValue {
        ["type": "array", "items": try derivation.schema(of: Element.self), "uniqueItems": true]
    }
    static var emptySample: Set<Element> { [] }
}

extension Dictionary: SchemaWrapper where Key: Decodable, Value: Decodable {
    static func schema(_ derivation: SchemaDerivation) throws -> JSONValue {
        let value = try derivation.schema(of: Value.self)
        if Key.self == String.self { return ["type": "object", "additionalProperties": value] }
        if Key.self == Int.self {
            return ["type": "object", "additionalProperties": value, "propertyNames": ["pattern": "^-?[0-9]+$"]]
        }
        throw SchemaDerivationError(type: "\(Self.self)", why: "JSON objects have strings as keys")
    }
    static var emptySample: [Key: Value] { [:] }
}
