/// How graces are finished (SPEC LC-8).
package struct GraceOptions: Sendable, Equatable {
    /// Routes whose deadlines a node keeps, 100,000; what is beyond is left to the sweeps.
    package var kept: Int
    /// How exactly it keeps them, 100 ms, in milliseconds.
    package var resolution: Int64
    /// How long a deadline must have passed for any node to take it, 3 s, in milliseconds.
    package var overdue: Int64
    /// Between two sweeps of the cluster as a whole, 1 s, in nanoseconds.
    package var sweepInterval: Int64
    /// Routes of one sweep, 1,000; the next one follows at once where there are more.
    package var page: Int

    package init(
        kept: Int = 100_000, resolution: Int64 = 100, overdue: Int64 = 3_000,
        sweepInterval: Int64 = Nanoseconds.seconds(1), page: Int = 1_000
    ) {
        self.kept = kept
        self.resolution = resolution
        self.overdue = overdue
        self.sweepInterval = sweepInterval
        self.page = page
    }
}
