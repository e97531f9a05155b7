package import NIOCore

/// A token bucket in eight bytes: all it keeps is when it is full again, so that nothing has to refill it. A new one is
/// full.
package struct TokenBucket: Equatable, Sendable {
    /// How fast tokens come back, and how many there can be. Shared by all buckets of a kind.
    package struct Rate: Equatable, Sendable {
        /// The most tokens a second: below it one of them takes at least a microsecond.
        package static let fastest = 1_000_000
        /// The largest bucket.
        package static let largest = 10_000_000

        /// Nanoseconds that one token takes to come back.
        let interval: Int64
        /// Nanoseconds that an empty bucket takes to fill.
        let span: Int64

        /// - Parameters:
        ///   - perSecond: 1 to `fastest`.
        ///   - burst: tokens of a full bucket, 1 to `largest`.
        package init(perSecond: Int, burst: Int) {
            precondition((1...Self.fastest).contains(perSecond) && (1...Self.largest).contains(burst), "checked before")
            self.interval = 1_000_000_000 / Int64(perSecond)
            self.span = self.interval * Int64(burst)
        }
    }

    /// Uptime in nanoseconds; in the past while the bucket is full.
    private var fullAt: Int64 = 0

    package init() {}

    /// Takes a token, if there is one.
    package mutating func take(at now: NIODeadline, _ rate: Rate) -> Bool {
        let time = Self.time(now)
        let next = max(self.fullAt, time) + rate.interval
        guard next - time <= rate.span else { return false }
        self.fullAt = next
        return true
    }

    /// Takes a token even where there is none: the bucket then owes it.
    ///
    /// - Returns: how long it takes until nothing is owed any more; zero while the bucket has not run out.
    package mutating func charge(at now: NIODeadline, _ rate: Rate) -> TimeAmount {
        let time = Self.time(now)
        self.fullAt = max(self.fullAt, time) + rate.interval
        return .nanoseconds(max(self.fullAt - time - rate.span, 0))
    }

    /// Whether the bucket is as good as a new one.
    package func isFull(at now: NIODeadline) -> Bool { self.fullAt <= Self.time(now) }

    /// When nothing is owed any more; in the past where nothing is.
    package func paidAt(_ rate: Rate) -> NIODeadline { .uptimeNanoseconds(UInt64(max(self.fullAt - rate.span, 0))) }

    private static func time(_ deadline: NIODeadline) -> Int64 { Int64(clamping: deadline.uptimeNanoseconds) }
}
