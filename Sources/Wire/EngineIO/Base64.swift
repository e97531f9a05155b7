package import NIOCore

/// Base64 (RFC 4648 §4): the standard alphabet with padding, and nothing else (SOCKETIO §3.2).
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let invalid: UInt8 = 0xFF
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    package static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    package static func isAlphabet(_ byte: UInt8) -> Bool { self.values[Int(byte)] != self.invalid }

    package static func encode(_ bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        let count = self.encodedCount(bytes.count)
        self.alphabet.withUnsafeBufferPointer { alphabet in
            _ = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
                var source = 0
                var written = 0
                while source < bytes.count {
                    let left = bytes.count - source
                    let first = bytes[source]
                    let second = left > 1 ? bytes[source + 1] : 0
                    let third = left > 2 ? bytes[source + 2] : 0
                    target[written] = alphabet[Int(first >> 2)]
                    target[written + 1] = alphabet[Int((first & 0x03) << 4 | second >> 4)]
                    target[written + 2] = left > 1 ? alphabet[Int((second & 0x0F) << 2 | third >> 6)] : 0x3D
                    target[written + 3] = left > 2 ? alphabet[Int(third & 0x3F)] : 0x3D
                    source += 3
                    written += 4
                }
                return written
            }
        }
    }

    /// - Returns: the decoded bytes, which live in `scratch`; nil where the text is not canonical base64.
    package static func decode(_ text: UnsafeRawBufferPointer, scratch: ScratchBuffer) -> UnsafeRawBufferPointer? {
        guard !text.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        guard text.count % 4 == 0 else { return nil }
        let padding = text[text.count - 1] != 0x3D ? 0 : text[text.count - 2] != 0x3D ? 1 : 2
        let target = scratch.reserve(text.count / 4 * 3)
        return self.values.withUnsafeBufferPointer { values in
            var written = 0
            var index = 0
            while index < text.count {
                let isLast = index + 4 == text.count
                let third = isLast && padding == 2 ? UInt8(ascii: "A") : text[index + 2]
                let fourth = isLast && padding > 0 ? UInt8(ascii: "A") : text[index + 3]
                let a = values[Int(text[index])]
                let b = values[Int(text[index + 1])]
                let c = values[Int(third)]
                let d = values[Int(fourth)]
                guard (a | b | c | d) & 0xC0 == 0 else { return nil }
                if isLast, padding == 2, b & 0x0F != 0 { return nil }  // bits that would be thrown away
                if isLast, padding == 1, c & 0x03 != 0 { return nil }
                target[written] = a << 2 | b >> 4
                target[written + 1] = b << 4 | c >> 2
                target[written + 2] = c << 6 | d
                written += 3
                index += 4
            }
            return UnsafeRawBufferPointer(rebasing: target[..<(written - padding)])
        }
    }
}
