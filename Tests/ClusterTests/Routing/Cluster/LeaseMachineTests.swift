import Routing
import Testing

@Suite("Lease") struct LeaseMachineTests {
    private static func at(_ seconds: Double) -> Int64 { Int64(seconds * 1_000_000_000) }

    private static func registered() -> LeaseMachine {
        var lease = LeaseMachine()
        lease.registered(sentAt: 0)
        return lease
    }

    @Test("ND-2: nothing before the registration")
    func unregistered() {
        let lease = LeaseMachine()
        #expect(lease.nextRenewal == nil)
        #expect(lease.standing(at: 0).isIsolated)
    }

    @Test(
        "ND-3: 7 s, 10 s, 30 s without a renewal",
        arguments: [
            (0, .held), (6.999, .held), (7, .fenced), (9.999, .fenced), (10, .silenced), (29.999, .silenced),
            (30, .isolated),
        ] as [(Double, LeaseStanding)])
    func standing(age: Double, expected: LeaseStanding) {
        let standing = Self.registered().standing(at: Self.at(age))
        #expect(standing == expected)
        #expect(standing.mayAccept == (age < 7) && standing.mayWriteRoutes == (age < 7))
        #expect(standing.mayCallHandlers == (age < 10) && standing.isIsolated == (age >= 30))
    }

    @Test("ND-2, ND-3: a renewal every 2 s; it counts from when it was sent")
    func renewal() {
        var lease = Self.registered()
        #expect(lease.nextRenewal == Self.at(2))
        // With news for others (ND-12).
        #expect(lease.earlyRenewal == Self.at(0.5))
        #expect(lease.renew(at: Self.at(2)) == 1)
        #expect(lease.nextRenewal == nil && lease.earlyRenewal == nil)
        lease.answered(.renewed, at: Self.at(3.4))
        #expect(lease.nextRenewal == Self.at(4))
        #expect(lease.standing(at: Self.at(8.9)) == .held)
        #expect(lease.standing(at: Self.at(9)) == .fenced)
        // A failed one raises the beat too, and does not count.
        #expect(lease.renew(at: Self.at(4)) == 2)
        lease.answered(nil, at: Self.at(5.5))
        #expect(lease.standing(at: Self.at(9)) == .fenced)
        #expect(lease.renew(at: Self.at(6)) == 3)
    }

    @Test("ND-3: claimed or gone is the end, whatever comes then")
    func lost() {
        var lease = Self.registered()
        _ = lease.renew(at: Self.at(2))
        lease.answered(.lost, at: Self.at(2.1))
        #expect(lease.end == .claimed && lease.nextRenewal == nil)
        #expect(lease.standing(at: Self.at(2.1)).isIsolated)
        var other = Self.registered()
        other.met(.up)
        #expect(other.end == nil)
        other.met(.claimed)
        #expect(other.end == .claimed)
    }

    @Test("ND-3: after a suspension beyond 30 s a renewal that comes through is too late")
    func suspended() {
        var lease = Self.registered()
        _ = lease.renew(at: Self.at(2))
        lease.answered(.renewed, at: Self.at(40))
        #expect(lease.end == .silent)
        #expect(lease.standing(at: Self.at(40)).isIsolated)
    }

    @Test("ND-5: superseded accepts nothing more, and may remove its connections while its lease lasts")
    func superseded() {
        var lease = Self.registered()
        lease.met(.superseded)
        #expect(lease.end == .superseded)
        let standing = lease.standing(at: Self.at(1))
        #expect(!standing.mayAccept && standing.mayWriteRoutes && standing.mayCallHandlers)
        #expect(!lease.standing(at: Self.at(7)).mayWriteRoutes)
        lease.met(.claimed)
        #expect(lease.standing(at: Self.at(1)).isIsolated)
    }
}
