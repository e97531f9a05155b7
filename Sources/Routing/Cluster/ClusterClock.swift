/// A monotonic clock that runs on while the machine is suspended (SPEC ND-3), and the way to wait for it.
package protocol ClusterClock: Sendable {
    /// Nanoseconds since a fixed moment of this process. Never compared with those of another machine (ND-4).
    func now() -> Int64

    /// Returns at `deadline`, or earlier when the task is cancelled.
    func sleep(until deadline: Int64) async

    /// Milliseconds since 1970 by this machine: only until the primary's clock is known (LC-8).
    func wallTime() -> Int64
}

/// Durations in the unit of ``ClusterClock``.
package enum Nanoseconds {
    package static func seconds(_ count: Int64) -> Int64 { count * 1_000_000_000 }
    package static func milliseconds(_ count: Int64) -> Int64 { count * 1_000_000 }
}
