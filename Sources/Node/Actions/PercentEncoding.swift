/// Percent-encoded text (RFC 3986 §2.1), strictly: a bad escape or bytes that are not UTF-8 are an error, not a guess.
enum PercentEncoding {
    static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = self.digit(rest.popFirst()), let low = self.digit(rest.popFirst()) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// `name=value&…` as in queries and forms: flat strings, the last one wins (SPEC AC-3).
    /// - Returns: nil for a bad escape.
    static func fields(_ text: some StringProtocol) -> [String: String]? {
        var fields: [String: String] = [:]
        for part in text.split(separator: "&") {
            let equals = part.firstIndex(of: "=") ?? part.endIndex
            guard let name = self.decode(part[..<equals], plusIsSpace: true),
                let value = self.decode(part[equals...].dropFirst(), plusIsSpace: true)
            else { return nil }
            fields[name] = value
        }
        return fields
    }

    /// Escapes what may not stand in a header field; what is escaped already stays.
    static func encodeNonASCII(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            if byte < 0x80 {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    private static func digit(_ byte: UInt8?) -> UInt8? {
        switch byte {
        case .some(let byte) where (0x30...0x39).contains(byte): byte - 0x30
        case .some(let byte) where (0x41...0x46).contains(byte): byte - 0x41 + 10
        case .some(let byte) where (0x61...0x66).contains(byte): byte - 0x61 + 10
        default: nil
        }
    }
}
