#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The machine's own clock. `ContinuousClock` is `CLOCK_BOOTTIME` on Linux: it counts suspended time (SPEC ND-3).
package struct SystemClusterClock: ClusterClock {
    private static let origin = ContinuousClock.now

    package init() {}

    package func now() -> Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - Self.origin).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    package func sleep(until deadline: Int64) async {
        // The only error is cancellation, and then the caller looks at its own state.
        try? await Task.sleep(until: Self.origin + .nanoseconds(deadline), clock: .continuous)
    }

    package func wallTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
