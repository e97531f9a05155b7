import Routing

/// The bits of an Engine.IO session ID: what is remembered of a session that began on WebSocket, so that whoever comes
/// with its ID again gets the right refusal (SOCKETIO §2.3, §6).
struct SessionKey: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Of no session.
    static let none = SessionKey(high: 0, low: 0)

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    static func random(using generator: inout some RandomNumberGenerator) -> SessionKey {
        SessionKey(high: generator.next(), low: generator.next())
    }

    /// - Returns: nil for what cannot be an ID of ours.
    init?(_ text: String) {
        guard text.utf8.count == 22 else { return nil }
        var bits: UInt128 = 0
        for (index, digit) in text.utf8.enumerated() {
            guard let value = Base64URL.value(of: digit) else { return nil }
            // The last digit has two bits of its own.
            bits = index < 21 ? bits << 6 | UInt128(value) : bits << 2 | UInt128(value >> 4)
        }
        self.init(high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
    }

    var text: String { Base64URL.text(self.high, self.low) }
}
