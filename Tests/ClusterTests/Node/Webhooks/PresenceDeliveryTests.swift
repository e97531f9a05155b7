import Testing

@testable import Node

/// When presence is delivered again (SPEC RM-3, LC-3).
@Suite struct PresenceDeliveryTests {
    @Test("Three repetitions, each behind a longer pause, then no more")
    func retries() {
        var delivery = PresenceDelivery(retries: 3, deadline: 100_000)
        #expect(delivery.attempt == 1)
        #expect(delivery.failed(.timeout, at: 0, jitter: 1) == .attempt(at: 250))
        #expect(delivery.failed(.status(500), at: 1_000, jitter: 0) == .attempt(at: 1_250))
        #expect(delivery.attempt == 3)
        #expect(delivery.failed(.transport("x"), at: 2_000, jitter: 1) == .attempt(at: 3_000))
        #expect(delivery.attempt == 4)
        #expect(delivery.failed(.timeout, at: 4_000, jitter: 1) == .giveUp)
    }

    @Test("An open breaker is waited for, and uses up no attempt")
    func breaker() {
        var delivery = PresenceDelivery(retries: 0, deadline: 10_000)
        #expect(delivery.failed(.open(until: 5_000), at: 0, jitter: 0) == .attempt(at: 5_000))
        #expect(delivery.failed(.open(until: 4_000), at: 5_100, jitter: 0) == .attempt(at: 5_100))
        #expect(delivery.attempt == 1)
        #expect(delivery.failed(.timeout, at: 5_200, jitter: 0) == .giveUp)
    }

    @Test("Nothing begins once the handler's time is up: the next change of the user may run then")
    func deadline() {
        var delivery = PresenceDelivery(retries: 10, deadline: 1_000)
        #expect(delivery.failed(.open(until: 1_000), at: 0, jitter: 0) == .giveUp)
        #expect(delivery.failed(.timeout, at: 800, jitter: 1) == .giveUp)
        var fresh = PresenceDelivery(retries: 10, deadline: 1_000)
        #expect(fresh.failed(.timeout, at: 800, jitter: 0) == .attempt(at: 925))
    }
}
