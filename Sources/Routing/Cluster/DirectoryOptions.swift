/// How nodes watch each other (SPEC ND-2, ND-4), in nanoseconds.
package struct DirectoryOptions: Sendable, Equatable {
    /// Between two readings of the registry, 2 s.
    package var reading: Int64
    /// The same beat for so long is suspicious, 3 s.
    package var suspectAfter: Int64
    /// Between two suspicions, 2 s.
    package var suspicion: Int64
    /// The same beat for so long is dead, 10 s, if the registry was writable meanwhile.
    package var claimAfter: Int64
    /// For how long suspicions must have been written without a failure, 6 s.
    package var witness: Int64
    /// A suspicion slower than this counts as a failure, 1 s.
    package var slow: Int64

    package init(
        reading: Int64 = Nanoseconds.seconds(2), suspectAfter: Int64 = Nanoseconds.seconds(3),
        suspicion: Int64 = Nanoseconds.seconds(2), claimAfter: Int64 = Nanoseconds.seconds(10),
        witness: Int64 = Nanoseconds.seconds(6), slow: Int64 = Nanoseconds.seconds(1)
    ) {
        precondition(suspectAfter + witness <= claimAfter, "there must be time to witness")
        self.reading = reading
        self.suspectAfter = suspectAfter
        self.suspicion = suspicion
        self.claimAfter = claimAfter
        self.witness = witness
        self.slow = slow
    }
}
