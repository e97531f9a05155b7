/// What a run does; times in microseconds unless said otherwise.
struct LoadPlan: Sendable {
    /// How the first `connections` clients behave.
    enum Work: Sendable {
        /// Answer heartbeats, nothing else.
        case hold
        /// `echo` events with ack: as many at a time, or at a total rate.
        case echo(inFlight: Int, rate: Double?)
        /// Receive `msg` events; the publishers send them.
        case receive
        /// Lose all connections at once and come back, so many times.
        case storm(rounds: Int)
    }

    struct Cuts: Sendable {
        var every: UInt64
        var pause: UInt64
    }

    struct Slow: Sendable {
        /// The first so many connections.
        var connections: Int
        var bytesPerSecond: Int
    }

    /// Events of one run. Send times are kept for every event, eight bytes each, so that it can be told afterwards what is
    /// missing.
    static let mostEvents = 100_000_000

    var scenario: String
    var targets: [LoadTarget]
    var loops = 1
    var connections: Int
    var work: Work
    /// Connections that share a user.
    var tabs = 1
    var publishers = 0
    /// Events a second and user, from all publishers together; not with `publishInFlight`.
    var rate = 0.0
    /// Events of one publisher that wait for their receipt: the next one goes out when a receipt comes.
    var publishInFlight: Int?
    /// Whether publishers connect to the first URL and all others to the rest.
    var keepsPublishersApart = false
    /// Bytes of padding in a payload.
    var padding = 0
    /// Whether `{pid, offset}` are presented on a return.
    var recovers = false
    /// Whether a return goes to the next URL, also when the last one would answer.
    var roams = false
    var cuts: Cuts?
    var slow: Slow?
    var userPrefix = "load"
    /// Connects under way at a time.
    var concurrency = 100
    /// Time from the TCP connect to the answer to CONNECT.
    var connectTimeout: UInt64 = 10_000_000
    var rampTimeout: UInt64 = 60_000_000
    var duration: UInt64 = 10_000_000
    /// The longest wait for what is still under way at the end.
    var settle: UInt64 = 15_000_000
    /// Events without ack that a publisher may have; what is due beyond that is skipped and counted.
    var maxUnacknowledged = 10_000
    /// Process whose memory is sampled.
    var pid: Int?
    /// Prometheus page of the node.
    var metrics: LoadTarget?

    /// What a client connects to first, as an index of `targets`.
    func firstTarget(ofPublisher isPublisher: Bool, index: Int) -> Int {
        guard self.keepsPublishersApart, self.targets.count > 1 else { return index % self.targets.count }
        return isPublisher ? 0 : 1 + index % (self.targets.count - 1)
    }

    var users: Int { max(1, self.connections / self.tabs) }

    /// Tabs of a user lie side by side in the numbering.
    func user(of connection: Int) -> Int { min(connection / self.tabs, self.users - 1) }

    /// - Parameter connection: 0 on.
    func isSlow(_ connection: Int) -> Bool { connection < self.slow?.connections ?? 0 }
}
