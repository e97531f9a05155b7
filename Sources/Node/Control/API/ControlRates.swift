import Metrics
import NIOCore
import Synchronization
import Wire

/// How fast each control key may ask. By its name, of which there are only as many as the file of keys has.
final class ControlRates: Sendable {
    /// Keys that are kept; beyond, those whose bucket is full are forgotten.
    private static let sweepSize = 1_000

    private let rate: TokenBucket.Rate?
    private let buckets = Mutex<[String: TokenBucket]>([:])
    private let refused = Counter(label: "submergence_control_rate_limited_total")

    /// - Parameters:
    ///   - perSecond: requests of one key; 0: any number.
    ///   - burst: at once.
    init(perSecond: Int, burst: Int) {
        self.rate = perSecond == 0 ? nil : TokenBucket.Rate(perSecond: perSecond, burst: burst)
    }

    /// - Throws: 429.
    func admit(_ key: String, at now: NIODeadline = .now()) throws(ActionError) {
        guard let rate = self.rate else { return }
        let isAdmitted = self.buckets.withLock { buckets in
            if buckets.count >= Self.sweepSize, buckets[key] == nil {
                buckets = buckets.filter { !$0.value.isFull(at: now) }
            }
            return buckets[key, default: TokenBucket()].take(at: now, rate)
        }
        guard isAdmitted else {
            self.refused.increment()
            throw .overRate
        }
    }
}
