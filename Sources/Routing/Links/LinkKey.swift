/// Names the Link between two parties, whoever asks for it: 128 bits of an HMAC (SPEC LK-2). Says nothing of the parties.
package struct LinkKey: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// - Parameter code: at least 16 bytes; the first 16 count.
    package init(code: some Sequence<UInt8>) {
        var value: UInt128 = 0
        for byte in code.prefix(16) { value = value << 8 | UInt128(byte) }
        self.init(high: UInt64(value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    /// The form in documents, and at the beginning of tokens: 22 digits.
    package init?(_ text: some StringProtocol) {
        guard let value = Base64URL.value128(text.utf8) else { return nil }
        self.init(high: UInt64(value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    package var text: String { Base64URL.text(self.high, self.low) }
}

extension LinkKey: CustomStringConvertible {
    package var description: String { self.text }
}
