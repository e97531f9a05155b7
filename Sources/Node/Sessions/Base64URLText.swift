import Routing

/// Bytes in base64url without padding (RFC 4648 §5): one text per value, so a token cannot be respelled.
enum Base64URLText {
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(Base64URL.digit(UInt8(truncatingIfNeeded: bits >> UInt32(count)) & 63))
            }
        }
        if count > 0 { text.append(Base64URL.digit(UInt8(truncatingIfNeeded: bits << UInt32(6 - count)) & 63)) }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: nil for padding, for other digits, and where unused bits of the last digit are not 0.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 {
            guard let value = Base64URL.value(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        guard count < 6, bits & (1 << UInt32(count) - 1) == 0 else { return nil }
        return bytes
    }
}
