import NIOCore

/// How all sessions of a node are ended: so many a step, over a while, and when that is over (SPEC ND-12, ND-15). A value
/// without a clock.
struct MassClose {
    /// Between two steps.
    static let step = TimeAmount.milliseconds(20)
    /// How long a client that polls may take to fetch its last packets. It mostly polls again within a round trip; one that
    /// has vanished between two polls cannot be told from it, and would otherwise be waited for until its heartbeat is due.
    static let grace = TimeAmount.seconds(5)
    /// Fewer a second would only make a small node slow to stop.
    private static let slowest = 50.0

    /// Sessions that each loop ends in a step.
    let perLoop: Int
    /// For the case that sessions go on being found.
    private let deadline: NIODeadline
    private var lastTold: NIODeadline

    /// - Parameters:
    ///   - seconds: over which the ends are spread, if that is slower than `perSecond` allows.
    init(of sessions: Int, on loops: Int, over seconds: Double, perSecond limit: Int, at now: NIODeadline) {
        let pace = min(Double(limit), max(Double(sessions) / max(seconds, 0.001), Self.slowest))
        let steps = Double(TimeAmount.seconds(1).nanoseconds / Self.step.nanoseconds)
        self.perLoop = Int((pace / steps / Double(max(loops, 1))).rounded(.up))
        let longest = max(Double(sessions) / pace, seconds)
        self.deadline = now + .nanoseconds(Int64(longest * 1e9)) + Self.grace
        self.lastTold = now
    }

    /// A step is done.
    /// - Parameters:
    ///   - told: sessions that it has ended; 0 once there is none left that was open.
    ///   - left: sessions that are still there, as they wait for their last poll or were not told yet.
    /// - Returns: whether what is left is to be given up.
    mutating func isOver(told: Int, left: Int, at now: NIODeadline) -> Bool {
        if told > 0 { self.lastTold = now }
        return left == 0 || now >= self.lastTold + Self.grace || now >= self.deadline
    }
}
