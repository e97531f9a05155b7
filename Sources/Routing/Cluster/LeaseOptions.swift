/// How a node keeps its lease, and what it stops doing without one (SPEC ND-2, ND-3), in nanoseconds.
package struct LeaseOptions: Sendable, Equatable {
    /// Between two renewals, 2 s.
    package var renewal: Int64
    /// The same at least, where a renewal has news for others (ND-12), 500 ms.
    package var early: Int64
    /// Without a renewal for so long: no accepting, no route write, no session cache. 7 s.
    package var fence: Int64
    /// No presence handlers. 10 s; never more than ``DirectoryOptions/claimAfter``.
    package var silence: Int64
    /// Every socket goes. 30 s.
    package var isolation: Int64

    package init(
        renewal: Int64 = Nanoseconds.seconds(2), early: Int64 = Nanoseconds.milliseconds(500),
        fence: Int64 = Nanoseconds.seconds(7),
        silence: Int64 = Nanoseconds.seconds(10), isolation: Int64 = Nanoseconds.seconds(30)
    ) {
        precondition(renewal * 3 <= fence && fence <= silence && silence < isolation, "a lease is at least 3 renewals")
        self.renewal = renewal
        self.early = min(early, renewal)
        self.fence = fence
        self.silence = silence
        self.isolation = isolation
    }
}
