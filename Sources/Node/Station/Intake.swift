import Routing

/// Connects a second that this node can take now, as it tells the others (SPEC ND-12): the configured rate, and less of it
/// as something fills or slows down. What is worst counts alone, as connects go through all of it. A value without a clock.
struct Intake {
    /// What is measured about five times a second.
    struct Sample {
        /// The node takes new connections at all.
        var mayAccept: Bool
        /// Connects under way, of so many.
        var pending: Int
        var pendingLimit: Int
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

    /// The configured ``LiveOptions/acceptRate``.
    var limit: Int
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
        let fill = Double(sample.pending) / Double(max(sample.pendingLimit, 1))
        let room = min(
            1 - min(max(fill, 0), 1), Self.room(self.loopLag, in: Self.lag),
            Self.room(self.commitLatency, in: Self.latency))
        return Int((Double(self.limit) * room).rounded(.up))
    }

    private static func room(_ value: Double, in range: ClosedRange<Int64>) -> Double {
        let span = Double(range.upperBound - range.lowerBound)
        return 1 - min(max((value - Double(range.lowerBound)) / span, 0), 1)
    }
}
