/// How many connects may be worked on at once: as many as get done within a target time, by how many did lately (SPEC
/// ND-15). More of them would only wait, until all are too late, and whoever comes again then has the work done anew. A
/// value without a clock.
///
/// By Little's law that is the rate of those that get done, times the target. The rate tells what can be done only
/// where connects were waiting, so nothing is learned, or forgotten, while there are few.
struct AdmissionWindow {
    /// What has happened since the last one.
    struct Sample {
        /// Connects that got ready.
        var done: Int
        /// Connects that are worked on.
        var working: Int
        /// Somebody was refused for the window's sake.
        var hasRefused: Bool
        var nanoseconds: Int64
    }

    /// With fewer a slow database would never be seen to have become fast.
    private static let least = 20.0
    /// A node that has just begun knows nothing.
    private static let initial = 100
    /// Seconds over which the rate is averaged: commits come in groups.
    private static let memory = 1.0
    /// Of a window, so much stays with a sample at least, as the average is behind where the rate has just risen.
    private static let shrink = 0.75
    /// So many times the root of the window are added: else a node with few connects under way, each of which takes the target
    /// whatever else there is, would never find out that it can do more.
    private static let probing = 2.0

    /// Connects under way at once, whatever gets done.
    let limit: Int
    /// Seconds; nil: the limit alone holds.
    let target: Double?
    /// Connects that may be worked on at once.
    private(set) var size: Int
    /// Connects that got ready a second, lately.
    private(set) var rate = 0.0
    /// More were waiting for one another at the newest sample than get done in time, so that ``rate`` is what the node can do.
    private(set) var isFull = false

    init(limit: Int, target: Double?) {
        self.limit = limit
        self.target = target
        self.size = target == nil ? limit : min(Self.initial, limit)
    }

    mutating func sample(_ sample: Sample) {
        let seconds = max(Double(sample.nanoseconds) / 1e9, 0.001)
        self.rate += (Double(sample.done) / seconds - self.rate) * seconds / (seconds + Self.memory)
        guard let target else { return }
        let fitting = max(self.rate * target + Self.probing * Double(self.size).squareRoot(), Self.least)
        self.isFull = sample.hasRefused || Double(sample.working) >= min(fitting, Double(self.size))
        guard self.isFull else { return }
        self.size = min(Int(max(fitting, Double(self.size) * Self.shrink)), self.limit)
    }
}
