import NIOCore
import Testing

@testable import Node

/// SPEC ND-15: new sessions a second.
@Suite struct AcceptPacerTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("A storm gets its rate and one short burst, in any second", arguments: [1, 20, 1_000, 50_000])
    func storm(rate: Int) {
        var pacer = AcceptPacer(perSecond: rate, at: self.start)
        // Far more than the rate, spread evenly over 3 s.
        var passed: [Int64] = []
        for attempt in 0..<300_000 {
            let offset = Int64(attempt) * 10_000
            if pacer.pass(at: self.start + .nanoseconds(offset)) { passed.append(offset) }
        }
        let total = 3 * rate + pacer.burst
        #expect((total - rate / 100 - 1...total).contains(passed.count))
        var first = 0
        for (last, offset) in passed.enumerated() {
            while offset - passed[first] >= 1_000_000_000 { first += 1 }
            #expect(last - first + 1 <= rate + pacer.burst + 1)
        }
    }

    @Test("A burst at once after silence, and no larger one for a longer silence")
    func burst() {
        var pacer = AcceptPacer(perSecond: 1_000, at: self.start)
        for wait in [TimeAmount.zero, .seconds(1), .hours(1)] {
            let now = self.start + wait
            let passed = (0..<1_000).count { _ in pacer.pass(at: now) }
            #expect(passed == 100)
        }
    }

    @Test("Some sockets of one page pass at any rate")
    func page() {
        var pacer = AcceptPacer(perSecond: 1, at: self.start)
        let passed = (0..<20).count { _ in pacer.pass(at: self.start) }
        #expect(passed == 10)
        var isPassed = pacer.pass(at: self.start + .milliseconds(999))
        #expect(!isPassed)
        isPassed = pacer.pass(at: self.start + .seconds(1))
        #expect(isPassed)
    }
}
