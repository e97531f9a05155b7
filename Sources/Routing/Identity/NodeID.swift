import Wire

/// One incarnation of a server process: 96 random bits, never reused (SPEC ND-2). No secret.
package struct NodeID: Hashable, Sendable, Comparable {
    private let high: UInt64
    private let low: UInt32

    /// Length of ``text``: 12 bytes in base64url, no padding.
    package static let textLength = 16

    package static func random() -> NodeID {
        var generator = SystemRandomNumberGenerator()
        return NodeID(high: generator.next(), low: generator.next())
    }

    package init(high: UInt64, low: UInt32) {
        self.high = high
        self.low = low
    }

    /// The text form, as in documents, SIDs and logs.
    package init?(_ text: String) {
        var text = text
        guard let found = text.withUTF8({ NodeID(digits: $0[...]) }) else { return nil }
        self = found
    }

    /// The same, of its UTF-8.
    init?(digits: Slice<UnsafeBufferPointer<UInt8>>) {
        guard digits.count == Self.textLength else { return nil }
        var bits: UInt128 = 0
        for digit in digits {
            guard let value = Base64URLDigit.value(of: digit) else { return nil }
            bits = bits << 6 | UInt128(value)
        }
        self.init(high: UInt64(truncatingIfNeeded: bits >> 32), low: UInt32(truncatingIfNeeded: bits))
    }

    package var text: String {
        let first = self.high >> 16
        let second = (self.high & 0xFFFF) << 32 | UInt64(self.low)
        return String(unsafeUninitializedCapacity: Self.textLength) { out in
            for index in 0..<8 {
                out[index] = Base64URL.digit(UInt8(truncatingIfNeeded: first >> UInt64(42 - 6 * index) & 63))
                out[index + 8] = Base64URL.digit(UInt8(truncatingIfNeeded: second >> UInt64(42 - 6 * index) & 63))
            }
            return Self.textLength
        }
    }

    /// The first half of ``text``.
    var leading48: UInt64 { self.high >> 16 }

    package static func < (left: NodeID, right: NodeID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension NodeID: CustomStringConvertible {
    package var description: String { self.text }
}
