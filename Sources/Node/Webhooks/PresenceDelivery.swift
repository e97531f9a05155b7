/// Decides when a delivery of presence that has failed is tried again (SPEC RM-3). Owns no clock; times are milliseconds.
struct PresenceDelivery: Sendable, Equatable {
    enum Next: Sendable, Equatable {
        case attempt(at: Int64)
        case giveUp
    }

    /// Milliseconds before the first repetition; each further one waits twice as long.
    static let firstPause: Int64 = 250

    private(set) var failures = 0
    private let retries: Int
    private let deadline: Int64

    /// - Parameter deadline: when the time of a handler is up (SPEC LC-3): what cannot begin before is not tried.
    init(retries: Int, deadline: Int64) {
        self.retries = retries
        self.deadline = deadline
    }

    /// The number of the attempt under way, from 1: `X-Submergence-Attempt`.
    var attempt: Int { self.failures + 1 }

    /// - Parameter jitter: 0 to 1; a pause is a half of its length to the whole of it.
    mutating func failed(_ failure: WebhookFailure, at now: Int64, jitter: Double) -> Next {
        // Nothing was sent: it is no attempt.
        if case .open(let until) = failure { return self.next(at: max(until, now)) }
        self.failures += 1
        guard self.failures <= self.retries else { return .giveUp }
        let pause = Double(Self.firstPause << Int64(min(self.failures - 1, 16))) * (0.5 + jitter / 2)
        return self.next(at: now + Int64(pause))
    }

    private func next(at time: Int64) -> Next { time < self.deadline ? .attempt(at: time) : .giveUp }
}
