/// A loop's counts while it runs.
struct LoadSnapshot: Sendable {
    var tally = LoadTally()
    /// Publishers included.
    var live = 0
    /// When a client came live last, microseconds.
    var lastLiveAt: UInt64 = 0
    var unacknowledged = 0

    mutating func merge(_ other: LoadSnapshot) {
        self.tally.merge(other.tally)
        self.live += other.live
        self.lastLiveAt = max(self.lastLiveAt, other.lastLiveAt)
        self.unacknowledged += other.unacknowledged
    }
}

/// What a loop has to tell at the end of a run.
struct LoadResult: Sendable {
    var snapshot = LoadSnapshot()
    var receivers: [ReceiverAccount] = []
    var logs: [PublishLog] = []
    /// Echoes without ack on live connections.
    var unanswered = 0

    mutating func merge(_ other: LoadResult) {
        self.snapshot.merge(other.snapshot)
        self.receivers += other.receivers
        self.logs += other.logs
        self.unanswered += other.unanswered
    }
}
