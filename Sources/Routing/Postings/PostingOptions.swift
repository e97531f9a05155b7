/// Limits and times of the outbox (docs/outbox.md).
package struct PostingOptions: Sendable {
    /// Postings that a node has in its hands: read and not yet marked as done. 512.
    package var inFlight = 512
    /// Postings of one user among them. Further ones wait in the collection, and hold up nobody else's. 32.
    package var perUser = 32
    /// Postings that are read at once. 100, of up to 256 KiB each.
    package var batch = 100
    /// Numbers between the oldest posting of a lane that is under way and the newest. 4,096: below what
    /// ``PostingLedger`` remembers.
    package var window: Int64 = 4_096
    /// Between looks into the collection while nothing wakes the node. 200 ms.
    package var pollInterval = Nanoseconds.milliseconds(200)
    /// Between looks at the leases. 2 s, as often as the directory is read.
    package var lanesInterval = Nanoseconds.seconds(2)
    /// Between looks for what nobody has in its hands any more. 5 s.
    package var sweepInterval = Nanoseconds.seconds(5)
    /// Between measurements of how much waits. 5 s.
    package var measureInterval = Nanoseconds.seconds(5)
    /// Before a failed step is repeated. 500 ms.
    package var pause = Nanoseconds.milliseconds(500)
    /// For so long a posting is sent again while some node cannot be reached; then it counts as delivered, incompletely. 60 s.
    package var retryFor = Nanoseconds.seconds(60)

    package init() {}
}
