/// How the remains of dead nodes are removed (SPEC ND-4, LC-7), times in nanoseconds.
package struct ReapOptions: Sendable, Equatable {
    /// Keys per scan, 1,000.
    package var page: Int
    /// When the scan is repeated after the tombstone was set, as a write of the dead node may land late: 10 s, 1 min,
    /// 10 min, and before the tombstone goes (1 h).
    package var rescans: [Int64]
    /// Pause after a failure, 1 s.
    package var pause: Int64
    /// Between two renewals of the claim, 2 s.
    package var claimRenewal: Int64

    package init(
        page: Int = 1_000,
        rescans: [Int64] = [
            Nanoseconds.seconds(10), Nanoseconds.seconds(60), Nanoseconds.seconds(600), Nanoseconds.seconds(3_300),
        ],
        pause: Int64 = Nanoseconds.seconds(1), claimRenewal: Int64 = Nanoseconds.seconds(2)
    ) {
        self.page = page
        self.rescans = rescans
        self.pause = pause
        self.claimRenewal = claimRenewal
    }
}
