package import NIOCore

extension RecoveryPosition {
    /// Bytes of a text, whoever it comes from.
    package static let maximumTextBytes = 1_200

    /// Of a position that has more streams than a text takes: it can be given, never taken.
    static let lost = UInt8(ascii: "0")
    private static let format = UInt8(ascii: "1")

    /// The offset: a format digit, then base64url of
    ///
    ///     floor (varint), (sender (48 bits), number * 2 + kind (varint)) * count
    ///
    /// in ascending order of the streams, every varint as short as can be. Nothing in it needs quoting in JSON.
    package var text: ByteBuffer {
        var bytes = ByteBuffer()
        if self.entries.count <= Self.streamLimit {
            Self.writeVarint(UInt64(max(0, self.floor)), into: &bytes)
            for entry in self.entries {
                bytes.writeInteger(UInt16(truncatingIfNeeded: entry.stream.sender >> 32))
                bytes.writeInteger(UInt32(truncatingIfNeeded: entry.stream.sender))
                Self.writeVarint(UInt64(entry.number) << 1 | UInt64(entry.stream.kind.rawValue), into: &bytes)
            }
        }
        let length = (bytes.readableBytes * 8 + 5) / 6
        guard bytes.readableBytes > 0, length < Self.maximumTextBytes else { return ByteBuffer(bytes: [Self.lost]) }
        var text = ByteBuffer()
        text.writeWithUnsafeMutableBytes(minimumWritableBytes: length + 1) { target in
            target[0] = Self.format
            bytes.withUnsafeReadableBytes { Self.encode($0, into: target) }
            return length + 1
        }
        return text
    }

    /// Reads what a client presents. Hostile until proved: whatever is not exactly what ``text`` makes is refused.
    ///
    /// - Parameters:
    ///   - now: seconds of the primary's clock; streams count as heard of now.
    ///   - window: how long a client may be away, in seconds; a floor within it was not made here.
    /// - Returns: nil for anything but a position: then its client is not recoverable.
    package init?(text: String, now: Int64, window: Int64) {
        let digits = text.utf8
        guard digits.count <= Self.maximumTextBytes, digits.first == Self.format,
            var bytes = Self.decode(digits.dropFirst()),
            let floor = Self.readVarint(from: &bytes), floor <= UInt64(max(0, now - window))
        else { return nil }
        var entries: [Entry] = []
        while bytes.readableBytes > 0 {
            guard let (high, low) = bytes.readMultipleIntegers(as: (UInt16, UInt32).self),
                let value = Self.readVarint(from: &bytes),
                let kind = RecoveryStream.Kind(rawValue: UInt8(value & 1)),
                entries.count < Self.streamLimit
            else { return nil }
            let stream = RecoveryStream(sender: UInt64(high) << 32 | UInt64(low), kind: kind)
            let number = Int64(value >> 1)
            if let last = entries.last, last.stream >= stream { return nil }
            guard number > 0, number < RecoveryMark.numberLimit else { return nil }
            entries.append(Entry(stream: stream, number: number, heard: now))
        }
        self.init(entries: entries, floor: Int64(floor))
    }

    private static func writeVarint(_ value: UInt64, into buffer: inout ByteBuffer) {
        var rest = value
        while rest > 0x7F {
            buffer.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.writeInteger(UInt8(rest))
    }

    private static func readVarint(from buffer: inout ByteBuffer) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard let byte = buffer.readInteger(as: UInt8.self) else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return byte == 0 && shift > 0 ? nil : value }
        }
        return nil
    }

    private static func encode(_ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        var position = 1
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                target[position] = Base64URLDigit.digit(UInt8(truncatingIfNeeded: bits >> count))
                position += 1
            }
        }
        if count > 0 { target[position] = Base64URLDigit.digit(UInt8(truncatingIfNeeded: bits << (6 - count))) }
    }

    private static func decode(_ digits: Substring.UTF8View) -> ByteBuffer? {
        guard digits.count % 4 != 1 else { return nil }
        var bytes = ByteBufferAllocator().buffer(capacity: digits.count * 3 / 4)
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for digit in digits {
            guard let value = Base64URLDigit.value(of: digit) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.writeInteger(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        // The rest of the last digit is padding.
        return bits & (1 << count - 1) == 0 ? bytes : nil
    }
}
