/// What a route document keeps of a connection's private ID, `pid`: 128 bits of its SHA-256 (SOCKETIO §14.1.1). The ID itself
/// is a secret of its client.
package struct PrivateIDHash: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// - Parameter digest: at least 16 bytes; the first 16 count.
    package init(digest: some Sequence<UInt8>) {
        var value: UInt128 = 0
        for byte in digest.prefix(16) { value = value << 8 | UInt128(byte) }
        self.init(high: UInt64(value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    /// The form in documents: 22 digits.
    package init?(_ text: String) {
        guard let value = Base64URL.value128(text.utf8) else { return nil }
        self.init(high: UInt64(value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    package var text: String { Base64URL.text(self.high, self.low) }
}
