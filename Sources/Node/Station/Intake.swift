import Routing

/// Connects a second that this node can take now, as it tells the others (SPEC ND-12): the configured rate, and less of it
/// as something fills or slows down. What is worst counts alone, as connects go through all of it. A value without a clock.
struct Intake {
    /// What is measured about five times a second.
    struct Sample {
        /// The node takes new connections at all.
        var mayAccept: Bool
        var admission: ConnectAdmission.Reading
        /// Nanoseconds by which the tick of an event loop was late at worst.
        var loopLag: Int64
        /// Nanoseconds that the slowest commit of routes took, or has taken so far.
        var commitLatency: Int64
    }

    /// Nanoseconds: up to the first no harm is done, at the second clients are about to be lost.
    private static let lag = Nanoseconds.milliseconds(100)...Nanoseconds.seconds(1)
    /// A command has 2 s (ND-14).
    private static let latency = Nanoseconds.milliseconds(250)...Nanoseconds.seconds(2)
    /// Of what a bad moment adds, so much is forgotten with each sample: half in two thirds of a second.
    private static let forgetting = 0.2

    /// Of what a node has done while connects were waiting for one another, it can take so much: more than it does while few
    /// wait, as nobody knows what it could do, and less while many do.
    private static let most = 1.5
    /// While some are refused that have been sent here already: enough to go on.
    private static let least = 0.1
    /// Once nobody waits any more, so much is added with each sample: twice as much in a second and a half.
    private static let growth = 1.1

    /// The configured ``LiveOptions/acceptRate``.
    var limit: Int
    /// Connects a second that this node was last seen to do when it could do no more.
    private var ability = Double.infinity
    private var loopLag = 0.0
    private var commitLatency = 0.0

    init(limit: Int) {
        self.limit = limit
    }

    /// - Returns: connects a second; 0 for a node that takes none.
    mutating func sample(_ sample: Sample) -> Int {
        self.loopLag = max(Double(sample.loopLag), self.loopLag * (1 - Self.forgetting))
        self.commitLatency = max(Double(sample.commitLatency), self.commitLatency * (1 - Self.forgetting))
        guard sample.mayAccept else { return 0 }
        let pending = Double(sample.admission.pending) / Double(max(sample.admission.limit, 1))
        let room = min(
            1 - min(max(pending, 0), 1), Self.room(self.loopLag, in: Self.lag),
            Self.room(self.commitLatency, in: Self.latency))
        return Int(min(Double(self.limit) * room, self.work(of: sample.admission)).rounded(.up))
    }

    /// Connects a second that get done, and don't only wait.
    private mutating func work(of admission: ConnectAdmission.Reading) -> Double {
        self.ability = admission.isFull ? max(admission.rate, 1) : self.ability * Self.growth
        if self.ability >= Double(self.limit) { self.ability = .infinity }
        return self.ability * (admission.hasRefused ? Self.least : Self.most - min(admission.fill, 1))
    }

    private static func room(_ value: Double, in range: ClosedRange<Int64>) -> Double {
        let span = Double(range.upperBound - range.lowerBound)
        return 1 - min(max((value - Double(range.lowerBound)) / span, 0), 1)
    }
}
