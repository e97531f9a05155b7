import NIOCore

/// How often somebody may name a wrong key. A value; time is an argument.
///
/// By address; where too many of them are kept, all others share one count, so that it is bounded and still a limit.
struct SignInAttempts: Sendable {
    struct Limits: Sendable, Equatable {
        /// Wrong keys that are taken at once.
        var burst = 5
        /// What one of them takes to be forgotten.
        var pause: TimeAmount = .seconds(12)
        /// Addresses that are kept.
        var capacity = 10_000
    }

    /// When all wrong keys of an address are forgotten.
    private var clean: [String: NIODeadline] = [:]
    private var others = NIODeadline.uptimeNanoseconds(0)
    private let limits: Limits

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// How long the address has to wait; nil: it may try.
    func wait(_ address: String, at now: NIODeadline) -> TimeAmount? {
        let clean = self.clean[address] ?? (self.isFull ? self.others : now)
        let owed = clean - now
        let most = self.limits.pause * (self.limits.burst - 1)
        return owed > most ? owed - most : nil
    }

    /// The key was wrong.
    mutating func fail(_ address: String, at now: NIODeadline) {
        if self.isFull { self.clean = self.clean.filter { $0.value > now } }
        if let clean = self.clean[address] {
            self.clean[address] = max(clean, now) + self.limits.pause
        } else if self.isFull {
            self.others = max(self.others, now) + self.limits.pause
        } else {
            self.clean[address] = now + self.limits.pause
        }
    }

    private var isFull: Bool { self.clean.count >= self.limits.capacity }
}
