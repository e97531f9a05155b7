import NIOCore

/// How all sessions of a node are ended: so many a step, over a while, and when that is over (SPEC ND-12, ND-15). A value
/// without a clock.
struct MassClose {
    /// What bounds the close.
    struct Limits {
        /// Seconds over which the ends are spread, if that is slower than ``perSecond`` allows.
        var spread: Double
        /// Seconds after which everybody is gone, whatever the others can take; nil where nobody is asked.
        var longest: Double?
        /// Of this node.
        var perSecond: Int
    }

    /// Between two steps.
    static let step = TimeAmount.milliseconds(20)
    /// How long a client that polls may take to fetch its last packets. It mostly polls again within a round trip; one that
    /// has vanished between two polls cannot be told from it, and would otherwise be waited for until its heartbeat is due.
    static let grace = TimeAmount.seconds(5)
    /// Fewer a second would only make a small node slow to stop.
    private static let slowest = 50.0
    /// Others that are asked show what they can take only once there is something to take, and are heard a second later: so
    /// slowly is begun, and the pace is half as much again with each second, as long as nobody asks for less.
    private static let start = 20.0
    private static let growth = 0.4
    /// What was not used of the pace is kept for so long: a step that comes late makes up for it, a stall does not.
    private static let memory = 0.1

    /// Sessions a second as this node alone would have it.
    private let ownPace: Double
    /// Until when everybody is to be told.
    private let tellBy: NIODeadline?
    /// For the case that sessions go on being found.
    private var deadline: NIODeadline
    private var credit = 0.0
    private var asked = 0
    /// Sessions a second that the others are believed to take unheard.
    private var ramp = Self.start
    private var stepped: NIODeadline
    /// Since when no session is left that was not told; nil while there are some.
    private var exhausted: NIODeadline?
    /// Sessions a second at the newest step.
    private(set) var pace: Double

    init(of sessions: Int, within limits: Limits, at now: NIODeadline) {
        let pace = min(Double(limits.perSecond), max(Double(sessions) / max(limits.spread, 0.001), Self.slowest))
        self.ownPace = pace
        self.pace = pace
        self.stepped = now - Self.step
        let own = max(Double(sessions) / pace, limits.spread)
        if let longest = limits.longest {
            let telling = max(longest - Self.seconds(Self.grace), longest / 2)
            self.tellBy = now + Self.amount(telling)
            self.deadline = now + Self.amount(longest)
        } else {
            self.tellBy = nil
            self.deadline = now + Self.amount(own) + Self.grace
        }
    }

    /// The next step begins.
    /// - Parameters:
    ///   - left: sessions that are still there.
    ///   - intake: what the others can take a second; nil where there are no others, or nobody is to ask them.
    /// - Returns: how many sessions to end in it.
    mutating func step(left: Int, intake: Double?, at now: NIODeadline) -> Int {
        let elapsed = min(max(Self.seconds(now - self.stepped), 0), Self.memory)
        var pace = self.ownPace
        if let intake {
            pace = min(pace, intake, self.ramp)
            self.ramp = min(self.ramp * (1 + Self.growth * elapsed), max(2 * pace, Self.start))
        }
        if let tellBy {
            // Whoever is not told in time is cut off without a word: worse than more than the others have asked for.
            let time = max(Self.seconds(tellBy - now), Self.seconds(Self.step))
            pace = max(pace, Double(left) / time)
        }
        self.pace = pace
        self.stepped = now
        self.credit = min(self.credit + pace * elapsed, max(pace * Self.memory, 1))
        self.asked = Int(self.credit)
        return self.asked
    }

    /// A step is done.
    /// - Parameters:
    ///   - told: sessions that it has ended: fewer than were asked for once there is none left that was open.
    ///   - left: sessions that are still there, as they wait for their last poll or were not told yet.
    /// - Returns: whether what is left is to be given up.
    mutating func isOver(told: Int, left: Int, at now: NIODeadline) -> Bool {
        self.credit -= Double(told)
        if told < self.asked {
            if told > 0 || self.exhausted == nil { self.exhausted = now }
        } else if told > 0 {
            self.exhausted = nil
        }
        if left == 0 || now >= self.deadline { return true }
        return self.exhausted.map { now >= $0 + Self.grace } ?? false
    }

    private static func seconds(_ amount: TimeAmount) -> Double { Double(amount.nanoseconds) / 1e9 }

    private static func amount(_ seconds: Double) -> TimeAmount { .nanoseconds(Int64(seconds * 1e9)) }
}
