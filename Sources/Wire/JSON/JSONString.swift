/// Decodes the text between the quotes of a JSON string that the scanner has accepted.
package enum JSONString {
    /// - Parameter raw: the bytes between the quotes.
    /// - Returns: the value. A surrogate without its partner, which no Swift string can hold, becomes U+FFFD
    ///   (SOCKETIO §10.4: raw slices pass through, decoded values are repaired).
    package static func decode(_ raw: UnsafeRawBufferPointer) -> String {
        self.decode(raw, strict: false) ?? ""
    }

    /// - Returns: the value, or nil where it holds a lone surrogate (SPEC WS-3) or the escapes are malformed.
    package static func decodeStrict(_ raw: UnsafeRawBufferPointer) -> String? {
        self.decode(raw, strict: true)
    }

    /// Whether the decoded value is exactly `text`. Allocates only for strings with escapes.
    package static func equals(_ raw: UnsafeRawBufferPointer, hasEscapes: Bool, _ text: StaticString) -> Bool {
        guard !hasEscapes else { return self.decode(raw) == text.description }
        guard raw.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<raw.count where raw[index] != text.utf8Start[index] { return false }
        return true
    }

    /// The number of UTF-8 bytes of the value; bytes outside escapes count as they are.
    package static func decodedCount(_ raw: UnsafeRawBufferPointer) -> Int {
        var count = 0
        var index = 0
        while index < raw.count {
            guard raw[index] == UInt8(ascii: "\\") else {
                count += 1
                index += 1
                continue
            }
            guard let (scalar, width) = self.escape(in: raw, at: index) else { return raw.count }
            count += UTF8.width(scalar ?? "\u{FFFD}")
            index += width
        }
        return count
    }

    static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    private static func decode(_ raw: UnsafeRawBufferPointer, strict: Bool) -> String? {
        guard raw.contains(UInt8(ascii: "\\")) else { return String(decoding: raw, as: UTF8.self) }
        var value: [UInt8] = []
        value.reserveCapacity(raw.count)
        var index = 0
        while index < raw.count {
            guard raw[index] == UInt8(ascii: "\\") else {
                value.append(raw[index])
                index += 1
                continue
            }
            guard let (scalar, width) = self.escape(in: raw, at: index) else { return nil }
            if scalar == nil, strict { return nil }
            value.append(contentsOf: Array(String(scalar ?? "\u{FFFD}").utf8))
            index += width
        }
        return String(decoding: value, as: UTF8.self)
    }

    /// The escape that starts with the backslash at `index`: its scalar (nil for a lone surrogate) and its length.
    /// Nil where it is malformed.
    private static func escape(in raw: UnsafeRawBufferPointer, at index: Int) -> (Unicode.Scalar?, Int)? {
        guard index + 1 < raw.count else { return nil }
        switch raw[index + 1] {
        case UInt8(ascii: "\""): return ("\"", 2)
        case UInt8(ascii: "\\"): return ("\\", 2)
        case UInt8(ascii: "/"): return ("/", 2)
        case UInt8(ascii: "b"): return ("\u{08}", 2)
        case UInt8(ascii: "f"): return ("\u{0C}", 2)
        case UInt8(ascii: "n"): return ("\n", 2)
        case UInt8(ascii: "r"): return ("\r", 2)
        case UInt8(ascii: "t"): return ("\t", 2)
        case UInt8(ascii: "u"):
            guard let unit = self.unit(in: raw, at: index + 2) else { return nil }
            if let scalar = Unicode.Scalar(unit) { return (scalar, 6) }
            guard unit < 0xDC00, index + 7 < raw.count, raw[index + 6] == UInt8(ascii: "\\"),
                raw[index + 7] == UInt8(ascii: "u"), let low = self.unit(in: raw, at: index + 8),
                (0xDC00...0xDFFF).contains(low)
            else { return (nil, 6) }
            return (Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), 12)
        default: return nil
        }
    }

    private static func unit(in raw: UnsafeRawBufferPointer, at index: Int) -> UInt32? {
        guard index + 4 <= raw.count else { return nil }
        var unit: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = self.hexDigit(raw[index + offset]) else { return nil }
            unit = unit << 4 | digit
        }
        return unit
    }
}
