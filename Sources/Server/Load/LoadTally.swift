/// Everything that one loop counted. Times in microseconds.
struct LoadTally: Sendable {
    var connects = 0
    /// Attempts that failed, by reason.
    var failures: [String: Int] = [:]
    /// Live connections that ended and were not to, by reason.
    var drops: [String: Int] = [:]
    var cuts = 0
    var recovered = 0
    /// Came back with a pid and did not get the session.
    var notRecovered = 0
    /// Of those, without an offset to present: no event had come yet.
    var withoutOffset = 0
    /// Came back without a pid: `--recover` is off, or the server has no recovery.
    var returned = 0
    var sent = 0
    var acknowledged = 0
    /// Due, but not written: the publisher was away, not writable, or had too many events without ack.
    var skipped = 0
    /// Acks of echoes that nobody waits for, that came out of order, or that brought something else back.
    var echoDuplicates = 0
    var echoReordered = 0
    var echoMangled = 0
    /// Echoes whose connection ended before the ack.
    var echoBroken = 0
    /// Without those of slow readers.
    var received = 0
    var receivedSlowly = 0
    /// Events from before the connection was live again: they say nothing of latency.
    var replayed = 0
    var duplicates = 0
    var reordered = 0
    /// Times that a later event came before one that was owed; some of those come late.
    var gaps = 0
    var otherEvents = 0
    /// The longest lag of this process behind its own schedule.
    var lag: UInt64 = 0
    var connectTime = LatencyHistogram()
    var latency = LatencyHistogram()
    var ackTime = LatencyHistogram()

    mutating func merge(_ other: LoadTally) {
        self.connects += other.connects
        self.failures.merge(other.failures, uniquingKeysWith: +)
        self.drops.merge(other.drops, uniquingKeysWith: +)
        self.cuts += other.cuts
        self.recovered += other.recovered
        self.notRecovered += other.notRecovered
        self.withoutOffset += other.withoutOffset
        self.returned += other.returned
        self.sent += other.sent
        self.acknowledged += other.acknowledged
        self.skipped += other.skipped
        self.echoDuplicates += other.echoDuplicates
        self.echoReordered += other.echoReordered
        self.echoMangled += other.echoMangled
        self.echoBroken += other.echoBroken
        self.received += other.received
        self.receivedSlowly += other.receivedSlowly
        self.replayed += other.replayed
        self.duplicates += other.duplicates
        self.reordered += other.reordered
        self.gaps += other.gaps
        self.otherEvents += other.otherEvents
        self.lag = max(self.lag, other.lag)
        self.connectTime.merge(other.connectTime)
        self.latency.merge(other.latency)
        self.ackTime.merge(other.ackTime)
    }
}
