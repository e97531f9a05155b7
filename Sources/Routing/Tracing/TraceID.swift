/// Names one event whose way is written down: 128 random bits. What its receipt says, and `submergence why` takes.
package struct TraceID: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    package static func random() -> TraceID {
        var generator = SystemRandomNumberGenerator()
        return TraceID(high: generator.next(), low: generator.next())
    }

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init?(_ text: some StringProtocol) {
        guard let value = Base64URL.value128(text.utf8) else { return nil }
        self.init(high: UInt64(value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    /// 22 characters.
    package var text: String { Base64URL.text(self.high, self.low) }
}
