package import NIOCore

/// Builds `JSONValue` trees. Strict is for what the service itself parses (SPEC WS-3): its own events, actions, the
/// control API, documents from outside.
package enum JSONParser {
    /// - Parameters:
    ///   - bytes: the whole text; checked for UTF-8.
    ///   - strict: refuse duplicate and prototype-polluting keys and lone surrogates. Otherwise they pass, surrogates
    ///     as U+FFFD.
    package static func parse(
        _ bytes: UnsafeRawBufferPointer, strict: Bool = true
    ) throws(JSONError) -> JSONValue {
        guard UTF8Validation.isValid(bytes) else { throw .invalidUTF8 }
        // One pass without a tree first: what follows may rely on the syntax and on the depth.
        guard JSONScanner.isValid(bytes) else { throw .syntax }
        var scanner = JSONScanner(bytes)
        return try self.value(&scanner, strict: strict)
    }

    package static func parse(_ buffer: ByteBuffer, strict: Bool = true) throws(JSONError) -> JSONValue {
        let result = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(JSONError) in try self.parse(bytes, strict: strict) }
        }
        return try result.get()
    }

    private static func value(_ scanner: inout JSONScanner, strict: Bool) throws(JSONError) -> JSONValue {
        scanner.skipWhitespace()
        switch scanner.next {
        case UInt8(ascii: "{"): return .object(try self.object(&scanner, strict: strict))
        case UInt8(ascii: "["): return .array(try self.array(&scanner, strict: strict))
        case UInt8(ascii: "\""): return .string(try self.string(&scanner, strict: strict))
        default: break
        }
        let start = scanner.position
        guard scanner.skipValue() else { throw .syntax }
        let token = UnsafeRawBufferPointer(rebasing: scanner.bytes[start..<scanner.position])
        switch token.first {
        case UInt8(ascii: "t"): return .bool(true)
        case UInt8(ascii: "f"): return .bool(false)
        case UInt8(ascii: "n"): return .null
        default: return try self.number(String(decoding: token, as: UTF8.self))
        }
    }

    private static func number(_ text: String) throws(JSONError) -> JSONValue {
        if text != "-0", let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw .notFinite }
        return .number(number)
    }

    private static func string(_ scanner: inout JSONScanner, strict: Bool) throws(JSONError) -> String {
        let start = scanner.position + 1
        guard scanner.skipString() else { throw .syntax }
        let raw = UnsafeRawBufferPointer(rebasing: scanner.bytes[start..<(scanner.position - 1)])
        guard strict else { return JSONString.decode(raw) }
        guard let value = JSONString.decodeStrict(raw) else { throw .loneSurrogate }
        return value
    }

    private static func array(_ scanner: inout JSONScanner, strict: Bool) throws(JSONError) -> [JSONValue] {
        var elements: [JSONValue] = []
        guard scanner.take(UInt8(ascii: "[")) else { throw .syntax }
        scanner.skipWhitespace()
        if scanner.take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try self.value(&scanner, strict: strict))
            scanner.skipWhitespace()
            if scanner.take(UInt8(ascii: "]")) { return elements }
            guard scanner.take(UInt8(ascii: ",")) else { throw .syntax }
        }
    }

    private static func object(_ scanner: inout JSONScanner, strict: Bool) throws(JSONError) -> JSONObject {
        var object = JSONObject()
        var keys: Set<String> = []
        guard scanner.take(UInt8(ascii: "{")) else { throw .syntax }
        scanner.skipWhitespace()
        if scanner.take(UInt8(ascii: "}")) { return object }
        while true {
            scanner.skipWhitespace()
            let key = try self.string(&scanner, strict: strict)
            if strict {
                guard key != "__proto__", key != "constructor", key != "prototype" else { throw .pollutingKey }
                guard keys.insert(key).inserted else { throw .duplicateKey }
            }
            scanner.skipWhitespace()
            guard scanner.take(UInt8(ascii: ":")) else { throw .syntax }
            object.members.append(JSONObject.Member(key: key, value: try self.value(&scanner, strict: strict)))
            scanner.skipWhitespace()
            if scanner.take(UInt8(ascii: "}")) { return object }
            guard scanner.take(UInt8(ascii: ",")) else { throw .syntax }
        }
    }
}
