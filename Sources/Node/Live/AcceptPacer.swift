import NIOCore

/// Lets so many connects a second pass, and a short burst (SPEC ND-15): a bucket kept as the one moment at which it is full
/// again. A value without a clock.
struct AcceptPacer {
    /// A burst is what comes in this part of a second: so short that no second has many more than its rate.
    private static let burstPart = 10
    /// A page that opens some sockets at once is no storm.
    private static let leastBurst = 10

    let perSecond: Int
    /// Connects at once.
    let burst: Int
    private let interval: Int64
    private let tolerance: Int64
    private var full: NIODeadline

    init(perSecond rate: Int, at now: NIODeadline) {
        self.perSecond = rate
        self.burst = max(rate / Self.burstPart, Self.leastBurst)
        self.interval = 1_000_000_000 / Int64(max(rate, 1))
        self.tolerance = self.interval * Int64(self.burst)
        self.full = now
    }

    /// - Returns: whether one more may pass.
    mutating func pass(at now: NIODeadline) -> Bool {
        let next = max(self.full, now) + .nanoseconds(self.interval)
        guard (next - now).nanoseconds <= self.tolerance else { return false }
        self.full = next
        return true
    }
}
