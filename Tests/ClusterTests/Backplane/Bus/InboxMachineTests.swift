import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

@Suite("Inbox machine") struct InboxMachineTests {
    private static let me = NodeID(high: 9, low: 9)
    private static let alice = NodeID(high: 1, low: 1)
    private static let bob = NodeID(high: 1, low: 2)
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private static func machine(_ limits: InboxLimits = InboxLimits()) -> InboxMachine {
        InboxMachine(node: Self.me, homes: 2, limits: limits, now: Self.start)
    }

    /// The batch only has to be told apart here.
    private static func batch(_ sequence: Int64) -> ByteBuffer { ByteBuffer(string: "\(sequence)") }

    private static func envelope(
        _ sequence: Int64, from sender: NodeID = Self.alice, seconds: UInt64 = 1_000, to: NodeID = Self.me
    ) -> Envelope {
        Envelope(
            to: to.text, from: sender.text, sequence: sequence, time: seconds << 32, batch: Self.batch(sequence))
    }

    private static func delivered(
        _ sequence: Int64, from sender: NodeID = Self.alice, _ scope: InboxMachine.Scope = .all
    ) -> InboxMachine.Action {
        .deliver(from: sender, batch: Self.batch(sequence), scope: scope)
    }

    @Test("ND-8: what came through either home is delivered once")
    func duplicates() {
        var machine = Self.machine()
        #expect(machine.receive(Self.envelope(1), home: 0, now: Self.start) == [Self.delivered(1)])
        #expect(machine.receive(Self.envelope(1), home: 1, now: Self.start) == [.drop(.duplicate)])
        #expect(machine.receive(Self.envelope(3), home: 1, now: Self.start) == [])
        #expect(machine.receive(Self.envelope(3), home: 0, now: Self.start) == [.drop(.duplicate)])
        #expect(
            machine.receive(Self.envelope(2), home: 0, now: Self.start) == [Self.delivered(2), Self.delivered(3)])
        #expect(machine.receive(Self.envelope(3), home: 0, now: Self.start) == [.drop(.duplicate)])
    }

    @Test("ND-6: unordered inserts are put back in order, each sender by itself")
    func reorder() {
        var machine = Self.machine()
        #expect(machine.receive(Self.envelope(2), home: 0, now: Self.start) == [])
        #expect(
            machine.receive(Self.envelope(1, from: Self.bob), home: 0, now: Self.start)
                == [Self.delivered(1, from: Self.bob)])
        #expect(machine.receive(Self.envelope(4), home: 0, now: Self.start) == [])
        #expect(
            machine.receive(Self.envelope(1), home: 1, now: Self.start) == [Self.delivered(1), Self.delivered(2)])
        #expect(
            machine.receive(Self.envelope(3), home: 0, now: Self.start) == [Self.delivered(3), Self.delivered(4)])
    }

    @Test("ND-8: behind a hole it waits 5 s, reports what is missing, and goes on")
    func hole() {
        var machine = Self.machine()
        _ = machine.receive(Self.envelope(1), home: 0, now: Self.start)
        #expect(machine.receive(Self.envelope(4), home: 0, now: Self.start) == [])
        #expect(machine.receive(Self.envelope(5), home: 0, now: Self.start + .seconds(4)) == [])
        #expect(machine.expire(at: Self.start + .nanoseconds(4_999_999_999)) == [])
        #expect(machine.nextDeadline <= Self.start + .seconds(5))
        #expect(
            machine.expire(at: Self.start + .seconds(5))
                == [.hole(from: Self.alice, missing: 2...3), Self.delivered(4), Self.delivered(5)])
        #expect(machine.expire(at: Self.start + .seconds(50)) == [])
        #expect(machine.receive(Self.envelope(6), home: 0, now: Self.start) == [Self.delivered(6)])
    }

    @Test("ND-8: while a home is behind, what is missing may lie there: it waits for that home, 15 s at most")
    func behind() {
        for isRead in [true, false] {
            var machine = Self.machine()
            // Both homes are probed; only the second one reads.
            let probes = machine.dueProbes(at: Self.start)
            for (home, sequence) in probes where home == 1 {
                _ = machine.receive(Self.envelope(sequence, from: Self.me), home: home, now: Self.start)
            }
            #expect(machine.receive(Self.envelope(2), home: 1, now: Self.start) == [])
            for second in Int64(1)...14 { #expect(machine.expire(at: Self.start + .seconds(second)) == []) }
            let late = Self.start + .milliseconds(14_500)
            if isRead {
                #expect(
                    machine.receive(Self.envelope(1), home: 0, now: late) == [Self.delivered(1), Self.delivered(2)])
            } else {
                #expect(
                    machine.expire(at: Self.start + .seconds(15)) == [
                        .hole(from: Self.alice, missing: 1...1), Self.delivered(2),
                    ])
            }
        }
    }

    @Test("ND-8: once the home that was behind has caught up, nothing is waited for any more")
    func caughtUp() {
        var machine = Self.machine()
        let probes = machine.dueProbes(at: Self.start)
        #expect(machine.receive(Self.envelope(2), home: 1, now: Self.start) == [])
        #expect(machine.expire(at: Self.start + .seconds(6)) == [])
        for (home, sequence) in probes {
            _ = machine.receive(Self.envelope(sequence, from: Self.me), home: home, now: Self.start + .seconds(6))
        }
        #expect(
            machine.expire(at: Self.start + .seconds(7)) == [
                .hole(from: Self.alice, missing: 1...1), Self.delivered(2),
            ])
    }

    @Test("ND-8: a second hole has its own 5 s, from what came behind it")
    func secondHole() {
        var machine = Self.machine()
        #expect(machine.receive(Self.envelope(2), home: 0, now: Self.start) == [])
        #expect(machine.receive(Self.envelope(4), home: 0, now: Self.start + .seconds(3)) == [])
        #expect(
            machine.expire(at: Self.start + .seconds(5))
                == [.hole(from: Self.alice, missing: 1...1), Self.delivered(2)])
        #expect(machine.expire(at: Self.start + .milliseconds(7_999)) == [])
        #expect(
            machine.expire(at: Self.start + .seconds(8))
                == [.hole(from: Self.alice, missing: 3...3), Self.delivered(4)])
    }

    @Test("ND-8: what fills a given-up hole is delivered as late, once")
    func lateFill() {
        var machine = Self.machine()
        _ = machine.receive(Self.envelope(6), home: 0, now: Self.start)
        _ = machine.expire(at: Self.start + .seconds(5))
        let late = Self.start + .seconds(6)
        #expect(machine.receive(Self.envelope(3), home: 1, now: late) == [Self.delivered(3, .late)])
        #expect(machine.receive(Self.envelope(3), home: 0, now: late) == [.drop(.duplicate)])
        for sequence in [Int64(1), 5, 2, 4] {
            #expect(machine.receive(Self.envelope(sequence), home: 1, now: late) == [Self.delivered(sequence, .late)])
        }
        for sequence in Int64(1)...6 {
            #expect(machine.receive(Self.envelope(sequence), home: 1, now: late) == [.drop(.duplicate)])
        }
    }

    @Test("ND-8: of a late fill only kick, invalidate, link and config are applied; of an old one nothing perishable")
    func scopes() {
        #expect(
            BusMessage.Kind.allCases.filter(InboxMachine.Scope.late.admits) == [.kick, .invalidate, .link, .config])
        #expect(BusMessage.Kind.allCases.filter { !InboxMachine.Scope.lasting.admits($0) } == [.event, .peer, .roster])
        #expect(BusMessage.Kind.allCases.allSatisfy(InboxMachine.Scope.all.admits))
    }

    @Test("ND-2, ND-8: a sender's first envelope is number 1; one that begins later has a hole")
    func firstContact() {
        var machine = Self.machine()
        #expect(machine.receive(Self.envelope(3), home: 0, now: Self.start) == [])
        #expect(
            machine.expire(at: Self.start + .seconds(5))
                == [.hole(from: Self.alice, missing: 1...2), Self.delivered(3)])
    }

    @Test("ND-8: envelopes for another incarnation and impossible ones are dropped")
    func refused() {
        var machine = Self.machine()
        #expect(machine.receive(Self.envelope(1, to: Self.bob), home: 0, now: Self.start) == [.drop(.foreign)])
        #expect(machine.receive(Self.envelope(0), home: 0, now: Self.start) == [.drop(.malformed)])
        #expect(machine.receive(Self.envelope(-7), home: 0, now: Self.start) == [.drop(.malformed)])
        var unknown = Self.envelope(1)
        unknown.from = "?"
        #expect(machine.receive(unknown, home: 0, now: Self.start) == [.drop(.malformed)])
        // No number makes it trap.
        #expect(machine.receive(Self.envelope(.max), home: 0, now: Self.start) == [])
        #expect(
            machine.expire(at: Self.start + .seconds(5))
                == [.hole(from: Self.alice, missing: 1...(.max - 1)), Self.delivered(.max)])
        #expect(machine.receive(Self.envelope(.max), home: 0, now: Self.start) == [.drop(.duplicate)])
    }

    @Test("ND-10: a probe tells the latency of its home, once")
    func probes() {
        var machine = Self.machine()
        let due = machine.dueProbes(at: Self.start)
        #expect(due.map(\.home) == [0, 1])
        #expect(machine.dueProbes(at: Self.start + .milliseconds(999)).isEmpty)
        let probe = Self.envelope(due[1].sequence, from: Self.me)
        let back = Self.start + .milliseconds(3)
        #expect(machine.receive(probe, home: 1, now: back) == [.probed(home: 1, latency: .milliseconds(3))])
        #expect(machine.receive(probe, home: 1, now: back) == [.drop(.duplicate)])
        #expect(machine.homes[1].lastReceived == back)
        #expect(machine.homes[0].lastReceived == nil)
        #expect(machine.dueProbes(at: Self.start + .seconds(1)).map(\.sequence) == [2, 2])
    }

    @Test("ND-8: perishable messages older than 60 s, by the clock that the own probes show, are dropped")
    func old() {
        var machine = Self.machine()
        // Without a probe nothing is known about the server's clock, and nothing is dropped.
        #expect(machine.receive(Self.envelope(1, seconds: 1), home: 0, now: Self.start) == [Self.delivered(1)])
        for (home, sequence) in machine.dueProbes(at: Self.start) {
            _ = machine.receive(
                Self.envelope(sequence, from: Self.me, seconds: 1_000), home: home, now: Self.start + .milliseconds(2))
        }
        let now = Self.start + .milliseconds(500)
        #expect(machine.receive(Self.envelope(2, seconds: 940), home: 0, now: now) == [Self.delivered(2)])
        #expect(machine.receive(Self.envelope(3, seconds: 939), home: 0, now: now) == [Self.delivered(3, .lasting)])
        // The probe's time goes on while no newer one comes: a tail that lags shows old envelopes as old.
        let later = Self.start + .seconds(120)
        #expect(machine.receive(Self.envelope(4, seconds: 1_059), home: 0, now: later) == [Self.delivered(4, .lasting)])
        #expect(machine.receive(Self.envelope(5, seconds: 1_061), home: 0, now: later) == [Self.delivered(5)])
    }

    @Test("ND-10: a home that delivers nothing for 3 s has to be opened again; one that is behind has not")
    func silence() {
        var machine = Self.machine()
        #expect(machine.silentHomes(at: Self.start + .milliseconds(2_999)).isEmpty)
        _ = machine.receive(Self.envelope(1), home: 0, now: Self.start + .seconds(2))
        #expect(machine.silentHomes(at: Self.start + .seconds(3)) == [1])
        #expect(machine.silentHomes(at: Self.start + .seconds(4)).isEmpty, "once for every 3 s")
        #expect(machine.silentHomes(at: Self.start + .seconds(6)) == [0, 1])
    }

    @Test("STYLE, every queue is bounded: beyond the limit the oldest hole is given up at once")
    func earlyBytes() {
        var limits = InboxLimits()
        limits.earlyBytes = 400
        var machine = Self.machine(limits)
        #expect(machine.receive(Self.envelope(2), home: 0, now: Self.start) == [])
        #expect(machine.receive(Self.envelope(2, from: Self.bob), home: 0, now: Self.start + .seconds(1)) == [])
        #expect(machine.receive(Self.envelope(4), home: 0, now: Self.start + .seconds(1)) == [])
        #expect(
            machine.receive(Self.envelope(5), home: 0, now: Self.start + .seconds(2))
                == [.hole(from: Self.alice, missing: 1...1), Self.delivered(2)])
    }

    @Test("ND-8: a sender that is forgotten starts anew")
    func forget() {
        var machine = Self.machine()
        _ = machine.receive(Self.envelope(1), home: 0, now: Self.start)
        _ = machine.receive(Self.envelope(3), home: 0, now: Self.start)
        #expect(machine.silentSenders(at: Self.start + .minutes(59)).isEmpty)
        #expect(machine.silentSenders(at: Self.start + .hours(1)) == [Self.alice])
        machine.forget(Self.alice)
        #expect(machine.expire(at: Self.start + .hours(1)) == [])
        #expect(machine.receive(Self.envelope(1), home: 0, now: Self.start) == [Self.delivered(1)])
    }

    @Test("ND-8: for every interleaving of two homes, each envelope once and in order", arguments: UInt64(0)..<100)
    func anyInterleaving(seed: UInt64) {
        var generator = BusTestSeed(seed)
        var machine = Self.machine()
        let count = Int64.random(in: 1...200, using: &generator)
        // Every envelope is in one home at least, and disorder is bounded, as inserts in flight are.
        var arrivals: [(at: Int64, sequence: Int64, home: Int)] = []
        for sequence in 1...count {
            let home = Int.random(in: 0...1, using: &generator)
            arrivals.append((sequence + Int64.random(in: 0...8, using: &generator), sequence, home))
            if generator.chance(30) {
                arrivals.append((sequence + Int64.random(in: 0...20, using: &generator), sequence, 1 - home))
            }
            if generator.chance(10) {
                arrivals.append((sequence + Int64.random(in: 0...50, using: &generator), sequence, home))
            }
        }
        arrivals.sort { ($0.at, $0.sequence, $0.home) < ($1.at, $1.sequence, $1.home) }
        var seen: [InboxMachine.Action] = []
        for arrival in arrivals {
            let now = Self.start + .milliseconds(arrival.at)
            seen += machine.receive(Self.envelope(arrival.sequence), home: arrival.home, now: now)
            seen += machine.expire(at: now)
        }
        #expect(seen.filter { $0 != .drop(.duplicate) } == (1...count).map { Self.delivered($0) }, "seed \(seed)")
        #expect(seen.count == arrivals.count, "every envelope is delivered or counted as a duplicate")
    }
}
