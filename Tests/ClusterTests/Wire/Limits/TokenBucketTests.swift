import NIOCore
import Testing

@testable import Wire

@Suite struct TokenBucketTests {
    private static let rate = TokenBucket.Rate(perSecond: 10, burst: 5)
    private static let start = NIODeadline.uptimeNanoseconds(1 << 40)

    @Test("SOCKETIO §18: a full bucket gives its burst at once, then one token each interval")
    func burstThenRate() {
        var bucket = TokenBucket()
        for _ in 0..<5 { #expect(bucket.take(at: Self.start, Self.rate) == true) }
        #expect(bucket.take(at: Self.start, Self.rate) == false)
        #expect(bucket.take(at: Self.start + .milliseconds(99), Self.rate) == false)
        #expect(bucket.take(at: Self.start + .milliseconds(100), Self.rate) == true)
        #expect(bucket.take(at: Self.start + .milliseconds(199), Self.rate) == false)
    }

    @Test("What is refused costs no token")
    func refusalsAreFree() {
        var bucket = TokenBucket()
        for _ in 0..<5 { #expect(bucket.take(at: Self.start, Self.rate) == true) }
        for _ in 0..<1_000 { #expect(bucket.take(at: Self.start, Self.rate) == false) }
        #expect(bucket.take(at: Self.start + .milliseconds(100), Self.rate) == true)
    }

    @Test("Idle time fills the bucket to its burst and no further")
    func fillsUp() {
        var bucket = TokenBucket()
        for _ in 0..<5 { #expect(bucket.take(at: Self.start, Self.rate) == true) }
        #expect(!bucket.isFull(at: Self.start + .milliseconds(499)))
        #expect(bucket.isFull(at: Self.start + .milliseconds(500)))
        let later = Self.start + .hours(24)
        for _ in 0..<5 { #expect(bucket.take(at: later, Self.rate) == true) }
        #expect(bucket.take(at: later, Self.rate) == false)
    }

    @Test("A bucket that is charged beyond its burst owes, and says until when")
    func debt() {
        var bucket = TokenBucket()
        for _ in 0..<5 { #expect(bucket.charge(at: Self.start, Self.rate) == .zero) }
        #expect(bucket.charge(at: Self.start, Self.rate) == .milliseconds(100))
        #expect(bucket.charge(at: Self.start, Self.rate) == .milliseconds(200))
        #expect(bucket.paidAt(Self.rate) == Self.start + .milliseconds(200))
        #expect(bucket.take(at: Self.start + .milliseconds(200), Self.rate) == false)
        #expect(bucket.take(at: Self.start + .milliseconds(300), Self.rate) == true)
    }

    @Test("Over any time no more goes through than the rate and one burst", arguments: [1, 2, 3, 4, 5])
    func longRun(seed: UInt64) {
        var random = seed
        func next(_ bound: UInt64) -> Int64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64(random >> 33 % bound)
        }
        var bucket = TokenBucket()
        var now = Self.start
        var taken: Int64 = 0
        for _ in 0..<10_000 {
            now = now + .nanoseconds(next(60_000_000))
            if bucket.take(at: now, Self.rate) { taken += 1 }
        }
        let elapsed = (now - Self.start).nanoseconds
        #expect(taken <= elapsed / 100_000_000 + 5, "seed \(seed)")
        // Asked far more often than the rate: nothing of it is wasted either, but for the last interval.
        #expect(taken >= elapsed / 100_000_000 - 1, "seed \(seed)")
    }

    @Test("A bucket is one word: it lies in every socket and every address")
    func size() {
        #expect(MemoryLayout<TokenBucket>.size == 8)
        #expect(MemoryLayout<SocketRates>.size == 16)
    }
}
