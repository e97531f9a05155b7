/// What a run found, for people and as JSON. Times are milliseconds, durations of the run seconds.
struct LoadReport: Encodable, Sendable {
    struct Latency: Encodable, Sendable {
        let count: UInt64
        let p50, p90, p99, p999, max, mean: Double

        init?(_ histogram: LatencyHistogram) {
            guard histogram.count > 0 else { return nil }
            self.count = histogram.count
            self.p50 = Double(histogram.value(at: 50)) / 1000
            self.p90 = Double(histogram.value(at: 90)) / 1000
            self.p99 = Double(histogram.value(at: 99)) / 1000
            self.p999 = Double(histogram.value(at: 99.9)) / 1000
            self.max = Double(histogram.maximum) / 1000
            self.mean = (histogram.mean / 10).rounded() / 100
        }

        var text: String { "p50 \(self.p50)  p90 \(self.p90)  p99 \(self.p99)  p99.9 \(self.p999)  max \(self.max) ms" }
    }

    struct Connections: Encodable, Sendable {
        var wanted = 0
        var connects = 0
        /// Until the first time that all were live.
        var rampSeconds = 0.0
        var connectsPerSecond = 0.0
        var liveAtEnd = 0
        /// Without slow readers.
        var awayAtEnd = 0
        var failures: [String: Int] = [:]
        var drops: [String: Int] = [:]
        var connectTime: Latency?
    }

    struct Echo: Encodable, Sendable {
        var sent = 0
        var acknowledged = 0
        var skipped = 0
        var perSecond = 0.0
        var lost = 0
        var duplicated = 0
        var reordered = 0
        var mangled = 0
        var roundTrip: Latency?
    }

    struct Delivery: Encodable, Sendable {
        var published = 0
        var acknowledged = 0
        /// Due, but not written.
        var skipped = 0
        /// Published events by what their receipt said.
        var promised = 0
        var nobodyThere = 0
        var incomplete = 0
        var withoutAck = 0
        var received = 0
        var receivedPerSecond = 0.0
        var replayed = 0
        /// Promised events that a connection which was entitled to them did not get.
        var lost = 0
        var duplicated = 0
        var reordered = 0
        /// Events that did not come to a connection that had been told `recovered`, though it was told of no gap.
        var missedAtRecovered = 0
        /// Events that did not come, and whose publisher had been told so.
        var notPromisedAndMissed = 0
        var latency: Latency?
        var ackTime: Latency?
    }

    struct Recovery: Encodable, Sendable {
        var cuts = 0
        var recovered = 0
        var notRecovered = 0
        /// Of those not recovered, connections to which no event had come yet.
        var notRecoveredWithoutOffset = 0
        var returnedWithoutAsking = 0
    }

    /// Seconds from the loss of all connections until all were live again.
    struct Storm: Encodable, Sendable {
        let rounds: [Double]
        let median: Double

        /// - Parameter rounds: microseconds, at least one.
        init(_ rounds: [UInt64]) {
            self.rounds = rounds.map { Double($0 / 1000) / 1000 }
            self.median = self.rounds.sorted()[rounds.count / 2]
        }
    }

    struct Memory: Encodable, Sendable {
        let firstKiB, lastKiB, maxKiB: Int
    }

    let scenario: String
    let urls: [String]
    var seconds = 0.0
    /// The longest lag of this process behind its own schedule, milliseconds: above some tens the load was not what was
    /// asked for.
    var clientLag = 0.0
    var connections = Connections()
    var echo: Echo?
    var delivery: Delivery?
    var recovery: Recovery?
    var storm: Storm?
    var slowReaders: [SlowReader]?
    var memory: Memory?
    /// By how much counters of the node grew during the run, by series.
    var nodeCounted: [String: Double]?
    /// What broke the promise; empty when it held.
    var broken: [String] = []

    var held: Bool { self.broken.isEmpty }

    private enum CodingKeys: String, CodingKey {
        case scenario, urls, seconds, clientLag, connections, echo, delivery, recovery, storm, slowReaders, memory
        case nodeCounted, broken
    }
}
