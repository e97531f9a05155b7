import Wire

/// base64url of RFC 4648 §5, for identifiers of a fixed length. Not a general codec.
package enum Base64URL {
    package static func digit(_ value: UInt8) -> UInt8 { Base64URLDigit.digit(value) }

    package static func value(of digit: UInt8) -> UInt8? { Base64URLDigit.value(of: digit) }

    /// 128 bits of the system generator in 22 digits (SPEC OP-3).
    package static func random128() -> String {
        var generator = SystemRandomNumberGenerator()
        return self.text(generator.next(), generator.next())
    }

    package static func text(_ high: UInt64, _ low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 22) { out in
            var value = UInt128(high) << 64 | UInt128(low)
            out[21] = self.digit(UInt8(truncatingIfNeeded: value & 3) << 4)
            value >>= 2
            for index in stride(from: 20, through: 0, by: -1) {
                out[index] = self.digit(UInt8(truncatingIfNeeded: value & 63))
                value >>= 6
            }
            return 22
        }
    }

    /// Digits of 128 bits.
    package static let digits128 = 22

    /// The 128 bits that ``text(_:_:)`` wrote; nil for anything else.
    package static func value128(_ text: some Sequence<UInt8>) -> UInt128? {
        var value: UInt128 = 0
        var count = 0
        for byte in text {
            guard count < self.digits128, let digit = self.value(of: byte) else { return nil }
            count += 1
            if count < self.digits128 {
                value = value << 6 | UInt128(digit)
            } else {
                guard digit & 15 == 0 else { return nil }
                value = value << 2 | UInt128(digit >> 4)
            }
        }
        return count == self.digits128 ? value : nil
    }
}
