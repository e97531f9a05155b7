/// The rules for user and client IDs: 1 to 128 bytes of UTF-8 without control characters (SPEC §1).
package enum Identifier {
    package static let maximumLength = 128

    package static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...self.maximumLength).contains(bytes.count) else { return false }
        // C0 and DEL are one byte; C1 (U+0080..U+009F) is 0xC2 0x80..0x9F.
        var previous: UInt8 = 0
        for byte in bytes {
            if byte < 0x20 || byte == 0x7F || (previous == 0xC2 && byte < 0xA0) { return false }
            previous = byte
        }
        return true
    }
}
