import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The bus's monotonic clock. On Linux it runs on through a suspension of the machine, so that waits and ages are true
/// after one (compare SPEC ND-3).
enum BusClock {
    static func now() -> NIODeadline {
        #if os(Linux)
        var time = timespec()
        guard clock_gettime(CLOCK_BOOTTIME, &time) == 0 else { return .now() }
        return .uptimeNanoseconds(UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
        #else
        return .now()
        #endif
    }
}
