import Testing

@testable import Server

/// What the load client calls lost, duplicated and reordered (SPEC EV-1, EV-3; SOCKETIO §14).
@Suite struct StreamLedgerTests {
    private func ledger() -> DeliveryLedger {
        var ledger = DeliveryLedger()
        ledger.beginAfresh(at: 0)
        return ledger
    }

    /// Events 0, 1, 2 … of stream 1 for user 0, sent at 10, 20, 30 …, each with its fate.
    private func log(_ fates: PublishLog.Fate...) -> PublishLog {
        var log = PublishLog(stream: 1, users: 1)
        for (index, fate) in fates.enumerated() {
            let number = log.write(user: 0, at: UInt64(index + 1) * 10)
            log.settle(user: 0, number: number, fate)
        }
        return log
    }

    @Test("Everything once and in order leaves nothing to tell")
    func clean() {
        var ledger = self.ledger()
        for number in 0..<3 { #expect(ledger.receive(stream: 1, number: number) == .inOrder) }
        #expect(ledger.audit([self.log(.promised, .promised, .promised)], user: 0, isLive: true) == .init())
        #expect(ledger.duplicates == 0 && ledger.reordered == 0 && ledger.received == 3)
    }

    @Test("A hole is lost; an event that fills it later is reordered, not lost")
    func holes() {
        var ledger = self.ledger()
        #expect(ledger.receive(stream: 1, number: 0) == .inOrder)
        #expect(ledger.receive(stream: 1, number: 4) == .afterGap)
        #expect(ledger.receive(stream: 1, number: 2) == .late)
        #expect(ledger.receive(stream: 1, number: 2) == .duplicate)
        #expect(ledger.receive(stream: 1, number: 4) == .duplicate)
        let missing = ledger.audit(
            [self.log(.promised, .promised, .promised, .promised, .promised)], user: 0, isLive: true)
        #expect(missing == .init(promised: 2))
        #expect(ledger.reordered == 1)
        #expect(ledger.duplicates == 2)
    }

    @Test("The last events are owed to whoever is live, and to nobody else")
    func tail() {
        var ledger = self.ledger()
        _ = ledger.receive(stream: 1, number: 0)
        let log = self.log(.promised, .promised, .promised)
        #expect(ledger.audit([log], user: 0, isLive: true) == .init(promised: 2))
        #expect(ledger.audit([log], user: 0, isLive: false) == .init())
    }

    @Test("A connection that got nothing at all has lost everything")
    func silence() {
        #expect(self.ledger().audit([self.log(.promised, .promised)], user: 0, isLive: true) == .init(promised: 2))
    }

    @Test("What the publisher was told decides what a missing event is (EV-2)")
    func fates() {
        let log = self.log(.promised, .absent, .incomplete, .unknown)
        #expect(
            self.ledger().audit([log], user: 0, isLive: true) == .init(promised: 1, absent: 1, unpromised: 2))
        var recovered = self.ledger()
        recovered.recovered()
        #expect(
            recovered.audit([log], user: 0, isLive: true)
                == .init(promised: 1, promisedAtRecovered: 1, absentAtRecovered: 1, unpromised: 2))
    }

    @Test("A return without recovery begins a new account: older events are not owed")
    func afresh() {
        var ledger = self.ledger()
        _ = ledger.receive(stream: 1, number: 0)
        ledger.beginAfresh(at: 35)
        let log = self.log(.promised, .promised, .promised, .promised, .promised)
        // Sent at 20 and 30, before the return; 40 and 50 are owed.
        #expect(ledger.audit([log], user: 0, isLive: true) == .init(promised: 2))
        #expect(ledger.receive(stream: 1, number: 4) == .inOrder)
        #expect(ledger.audit([log], user: 0, isLive: true) == .init(promised: 1))
        #expect(ledger.receive(stream: 1, number: 3) == .late)
    }

    @Test("An event that another connection of the client had is no duplicate at a new one")
    func afreshAgain() {
        var ledger = self.ledger()
        _ = ledger.receive(stream: 1, number: 0)
        ledger.beginAfresh(at: 5)
        #expect(ledger.receive(stream: 1, number: 0) == .inOrder)
        #expect(ledger.duplicates == 0)
    }

    @Test("Holes of a stretch stay when the next one begins")
    func holesStay() {
        var ledger = self.ledger()
        _ = ledger.receive(stream: 1, number: 0)
        _ = ledger.receive(stream: 1, number: 2)
        ledger.beginAfresh(at: 100)
        _ = ledger.receive(stream: 1, number: 3)
        let log = self.log(.promised, .promised, .promised, .promised)
        #expect(ledger.audit([log], user: 0, isLive: true) == .init(promised: 1))
    }

    @Test("A recovered connection is owed everything from before on (SOCKETIO §14.1)")
    func recovery() {
        var ledger = self.ledger()
        _ = ledger.receive(stream: 1, number: 0)
        ledger.recovered()
        #expect(ledger.receive(stream: 1, number: 2) == .afterGap)
        #expect(ledger.receive(stream: 1, number: 2) == .duplicate)
        let log = self.log(.promised, .absent, .promised)
        #expect(ledger.audit([log], user: 0, isLive: true) == .init(absentAtRecovered: 1))
    }

    @Test("Streams and users are separate")
    func streams() {
        var ledger = self.ledger()
        var other = PublishLog(stream: 2, users: 2)
        for user in [0, 1, 1] { other.settle(user: user, number: other.write(user: user, at: 50), .promised) }
        #expect(ledger.receive(stream: 2, number: 0) == .inOrder)
        #expect(ledger.audit([self.log(.promised), other], user: 0, isLive: true) == .init(promised: 1))
        #expect(ledger.audit([other], user: 1, isLive: true) == .init(promised: 1))
        #expect(other.fates() == [.promised: 3])
    }

    /// Against the definition, event by event.
    @Test("Any order of arrivals: what never came is missing, once each", arguments: 1...20 as ClosedRange<UInt64>)
    func arrivals(seed: UInt64) {
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var log = PublishLog(stream: 1, users: 1)
        for number in 0..<50 { log.settle(user: 0, number: log.write(user: 0, at: UInt64(number) + 1), .promised) }
        var ledger = self.ledger()
        var seen: Set<Int> = []
        var highest = -1
        for _ in 0..<60 {
            let number = random(50)
            let expected: StreamLedger.Verdict =
                seen.contains(number) ? .duplicate : number < highest ? .late : .inOrder
            let verdict = ledger.receive(stream: 1, number: number)
            #expect((verdict == .afterGap ? .inOrder : verdict) == expected, "seed \(seed)")
            seen.insert(number)
            highest = max(highest, number)
        }
        #expect(ledger.audit([log], user: 0, isLive: true) == .init(promised: 50 - seen.count), "seed \(seed)")
    }
}
