package import NIOCore
internal import Wire

/// Why a text is not taken (SPEC WS-3).
package enum JSONTextError: Error, Sendable, Equatable {
    case malformed
    case notUTF8
    case tooDeep
    case duplicateKey
    /// `__proto__`, or a `constructor` with a `prototype`.
    case pollutingKey
    case loneSurrogate
    /// A number that no 64-bit value holds.
    case numberOutOfRange
}

extension JSONValue {
    /// Reads one JSON text by the strict rules of SPEC WS-3.
    package init(text: ByteBuffer) throws(JSONTextError) {
        self = try text.withUnsafeReadableBytesTyped { (bytes) throws(JSONTextError) in
            guard UTF8Validation.isValid(bytes) else { throw .notUTF8 }
            guard JSONScanner.isValid(bytes) else { throw Self.isTooDeep(bytes) ? .tooDeep : .malformed }
            return try Self.read(Self.trimmed(bytes))
        }
    }

    package func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeStaticString("null")
        case .bool(let value): buffer.writeStaticString(value ? "true" : "false")
        case .int(let value): buffer.writeString(String(value))
        case .double(let value): buffer.writeString(value.isFinite ? Self.text(of: value) : "null")
        case .string(let value): buffer.writeJSONString(value)
        case .array(let elements):
            buffer.writeStaticString("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                element.write(to: &buffer)
            }
            buffer.writeStaticString("]")
        case .object(let members):
            buffer.writeStaticString("{")
            // Sorted, so that the same content has the same bytes.
            for (index, (key, value)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                buffer.writeJSONString(key)
                buffer.writeStaticString(":")
                value.write(to: &buffer)
            }
            buffer.writeStaticString("}")
        }
    }

    /// `1.0` is written as `1`, as JavaScript does.
    private static func text(of value: Double) -> String {
        let text = value.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private static func isTooDeep(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var depth = 0
        var scanner = JSONScanner(bytes)
        while let byte = scanner.next {
            switch byte {
            case UInt8(ascii: "\""):
                guard scanner.skipString() else { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            if depth > JSONScanner.depthLimit { return true }
            scanner.position += 1
        }
        return false
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var scanner = JSONScanner(bytes)
        scanner.skipWhitespace()
        return UnsafeRawBufferPointer(rebasing: bytes[scanner.position...])
    }

    /// - Parameter bytes: a valid value that starts at once, so the recursion is as deep as the scanner allowed.
    private static func read(_ bytes: UnsafeRawBufferPointer) throws(JSONTextError) -> JSONValue {
        switch bytes.first {
        case UInt8(ascii: "{"): return try self.readObject(bytes)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            var reader = JSONArrayReader(bytes)
            while let range = reader.next() {
                elements.append(try self.read(UnsafeRawBufferPointer(rebasing: bytes[range])))
            }
            return .array(elements)
        case UInt8(ascii: "\""):
            var scanner = JSONScanner(bytes)
            guard scanner.skipString() else { throw .malformed }
            return .string(try self.readString(UnsafeRawBufferPointer(rebasing: bytes[1..<scanner.position - 1])))
        case UInt8(ascii: "t"): return .bool(true)
        case UInt8(ascii: "f"): return .bool(false)
        case UInt8(ascii: "n"): return .null
        default: return try self.readNumber(bytes)
        }
    }

    private static func readObject(_ bytes: UnsafeRawBufferPointer) throws(JSONTextError) -> JSONValue {
        var members: [String: JSONValue] = [:]
        var reader = JSONObjectReader(bytes)
        while let member = reader.next() {
            let key = try self.readString(UnsafeRawBufferPointer(rebasing: bytes[member.key]))
            guard key != "__proto__" else { throw .pollutingKey }
            let value = try self.read(UnsafeRawBufferPointer(rebasing: bytes[member.value]))
            if key == "constructor", value["prototype"] != nil { throw .pollutingKey }
            guard members.updateValue(value, forKey: key) == nil else { throw .duplicateKey }
        }
        return .object(members)
    }

    private static func readString(_ raw: UnsafeRawBufferPointer) throws(JSONTextError) -> String {
        guard let text = JSONString.decodeStrict(raw) else { throw .loneSurrogate }
        return text
    }

    private static func readNumber(_ bytes: UnsafeRawBufferPointer) throws(JSONTextError) -> JSONValue {
        var scanner = JSONScanner(bytes)
        guard scanner.skipNumber() else { throw .malformed }
        let text = String(decoding: bytes[..<scanner.position], as: UTF8.self)
        if let value = Int64(text) { return .int(value) }
        guard let value = Double(text), value.isFinite else { throw .numberOutOfRange }
        return .double(value)
    }
}

extension ByteBuffer {
    /// NIO's closure throws `any Error`; this one keeps the type.
    fileprivate func withUnsafeReadableBytesTyped<Value>(
        _ body: (UnsafeRawBufferPointer) throws(JSONTextError) -> Value
    ) throws(JSONTextError) -> Value {
        let result = self.withUnsafeReadableBytes { bytes in
            Result { () throws(JSONTextError) in try body(bytes) }
        }
        return try result.get()
    }
}

extension JSONValue {
    /// - Returns: nil for a text that is no JSON by the strict rules of SPEC WS-3.
    package init?(json text: String) {
        do {
            try self.init(text: ByteBuffer(string: text))
        } catch {
            return nil
        }
    }

    /// As JSON.
    package var text: String {
        var buffer = ByteBuffer()
        self.write(to: &buffer)
        return String(buffer: buffer)
    }
}
