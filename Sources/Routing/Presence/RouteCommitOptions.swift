/// Limits of the committer, per shard (SPEC LC-4, ND-14, ND-15).
package struct RouteCommitOptions: Sendable, Equatable {
    /// Keys per round, 1,000: the limit of a batch (``RouteStore``).
    package var keysPerRound: Int
    /// Rounds in flight, each on keys of its own, 2.
    package var roundsInFlight: Int
    /// Connects that wait or are in flight, 4,000; beyond: ``RouteError/busy``. Everything else is bounded by the
    /// connections that exist, and always taken.
    package var waitingConnects: Int
    /// How long a connect may take, 5 s (ND-15), in nanoseconds.
    package var connectTimeout: Int64
    /// First and longest pause after a lost compare-and-set, 2 ms and 250 ms, in nanoseconds; the pause is random.
    package var conflictPause: ClosedRange<Int64>
    /// First and longest pause after an error of the store, 50 ms and 2 s, in nanoseconds.
    package var errorPause: ClosedRange<Int64>
    /// The grace with which a connect leaves that was given up and lands all the same, in milliseconds, 0: its client was told
    /// to come back (LC-8).
    package var abandonedGrace: Int64
    /// The same for Links (LK-13).
    package var abandonedLinkGrace: Int64

    package init(
        keysPerRound: Int = 1_000, roundsInFlight: Int = 2, waitingConnects: Int = 4_000,
        connectTimeout: Int64 = Nanoseconds.seconds(5),
        conflictPause: ClosedRange<Int64> = Nanoseconds.milliseconds(2)...Nanoseconds.milliseconds(250),
        errorPause: ClosedRange<Int64> = Nanoseconds.milliseconds(50)...Nanoseconds.seconds(2),
        abandonedGrace: Int64 = 0, abandonedLinkGrace: Int64 = 0
    ) {
        self.keysPerRound = keysPerRound
        self.roundsInFlight = roundsInFlight
        self.waitingConnects = waitingConnects
        self.connectTimeout = connectTimeout
        self.conflictPause = conflictPause
        self.errorPause = errorPause
        self.abandonedGrace = abandonedGrace
        self.abandonedLinkGrace = abandonedLinkGrace
    }
}
