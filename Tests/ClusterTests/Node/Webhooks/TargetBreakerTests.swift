import Testing

@testable import Node

/// The circuit breaker before a webhook's target (SPEC RM-3).
@Suite struct TargetBreakerTests {
    private static func opened(at now: Int64 = 0) -> TargetBreaker {
        var breaker = TargetBreaker(threshold: 3, pause: 1_000)
        #expect(breaker.ended(.pass, .failed, at: now) == false)
        #expect(breaker.ended(.pass, .failed, at: now) == false)
        #expect(breaker.ended(.pass, .failed, at: now) == true)
        return breaker
    }

    @Test("Failures in a row open it; one success between them starts the count again")
    func opens() {
        var breaker = TargetBreaker(threshold: 3, pause: 1_000)
        for _ in 0..<5 {
            #expect(breaker.ended(.pass, .failed, at: 0) == false)
            #expect(breaker.ended(.pass, .failed, at: 0) == false)
            #expect(breaker.ended(.pass, .succeeded, at: 0) == false)
        }
        #expect(breaker.state == .closed(failures: 0))
        breaker = Self.opened(at: 5)
        #expect(breaker.state == .open(until: 1_005))
        #expect(breaker.admit(at: 1_004) == .refused(until: 1_005))
    }

    @Test("Behind the pause one request tries; the others wait for what it finds")
    func probes() {
        var breaker = Self.opened()
        #expect(breaker.outlook(at: 1_000) == .probe)
        #expect(breaker.state == .open(until: 1_000))
        #expect(breaker.admit(at: 1_000) == .probe)
        #expect(breaker.state == .halfOpen)
        #expect(breaker.admit(at: 1_001) == .refused(until: 1_001 + TargetBreaker.probePause))
        #expect(breaker.ended(.probe, .succeeded, at: 1_002) == false)
        #expect(breaker.state == .closed(failures: 0))
        #expect(breaker.admit(at: 1_002) == .pass)
    }

    @Test("A probe that fails opens it for another pause; one that was given up leaves the next one the trial")
    func probeEnds() {
        var breaker = Self.opened()
        #expect(breaker.admit(at: 1_000) == .probe)
        #expect(breaker.ended(.probe, .failed, at: 1_500) == false)
        #expect(breaker.state == .open(until: 2_500))
        #expect(breaker.admit(at: 2_500) == .probe)
        #expect(breaker.ended(.probe, .abandoned, at: 2_600) == false)
        #expect(breaker.admit(at: 2_600) == .probe)
    }

    @Test(
        "What began before it turned says nothing about now",
        arguments: [TargetBreaker.Ending.succeeded, .failed, .abandoned])
    func late(ending: TargetBreaker.Ending) {
        var breaker = Self.opened()
        #expect(breaker.ended(.pass, ending, at: 10) == false)
        #expect(breaker.state == .open(until: 1_000))
        #expect(breaker.admit(at: 1_000) == .probe)
        #expect(breaker.ended(.pass, ending, at: 1_001) == false)
        #expect(breaker.state == .halfOpen)
    }

    @Test("With threshold 0 it never opens; what was given up is no failure")
    func never() {
        var breaker = TargetBreaker(threshold: 0, pause: 1_000)
        for _ in 0..<100 { #expect(breaker.ended(.pass, .failed, at: 0) == false) }
        #expect(breaker.admit(at: 0) == .pass)
        breaker = TargetBreaker(threshold: 1, pause: 1_000)
        #expect(breaker.ended(.pass, .abandoned, at: 0) == false)
        #expect(breaker.state == .closed(failures: 0))
    }

    @Test("Only what the target does counts against it")
    func endings() {
        for failure in [
            WebhookFailure.timeout, .transport("x"), .address("x"), .status(500), .status(503), .status(429),
        ] {
            #expect(failure.ending == .failed, "\(failure)")
        }
        for failure in [WebhookFailure.status(404), .status(302), .length, .malformed("x")] {
            #expect(failure.ending == .succeeded, "\(failure)")
        }
        for failure in [WebhookFailure.full, .open(until: 0), .cancelled, .secret] {
            #expect(failure.ending == .abandoned, "\(failure)")
        }
    }
}
