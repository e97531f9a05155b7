/// The token of one opening of a Link: its key and 128 random bits (SPEC LK-3). Names it, and is no authority.
package struct LinkToken: Hashable, Sendable {
    package let key: LinkKey
    private let high: UInt64
    private let low: UInt64

    package static let textLength = 2 * Base64URL.digits128

    package static func random(for key: LinkKey) -> LinkToken {
        var generator = SystemRandomNumberGenerator()
        return LinkToken(key: key, high: generator.next(), low: generator.next())
    }

    package init(key: LinkKey, high: UInt64, low: UInt64) {
        self.key = key
        self.high = high
        self.low = low
    }

    package init?(_ text: String) {
        guard text.utf8.count == Self.textLength, let key = LinkKey(text.prefix(Base64URL.digits128)),
            let value = Base64URL.value128(text.utf8.dropFirst(Base64URL.digits128))
        else { return nil }
        self.init(key: key, high: UInt64(value >> 64), low: UInt64(truncatingIfNeeded: value))
    }

    package var text: String { self.key.text + Base64URL.text(self.high, self.low) }
}

extension LinkToken: CustomStringConvertible {
    package var description: String { self.text }
}
