import Routing
import Testing

@Suite("Directory") struct DirectoryMachineTests {
    private static let own = NodeID(high: 9, low: 0)
    private static let peer = NodeID(high: 1, low: 0)
    private static func at(_ seconds: Double) -> Int64 { Int64(seconds * 1_000_000_000) }

    private static func record(
        _ id: NodeID = peer, beat: Int64 = 5, state: NodeRecord.State = .up, name: String? = nil, by: NodeID? = nil,
        claimBeat: Int64 = 0
    ) -> NodeRecord {
        var record = NodeRecord(id: id, name: name, address: nil, started: 0, homes: [])
        record.beat = beat
        record.state = state
        record.claimedBy = by
        record.claimBeat = claimBeat
        return record
    }

    private static func reading(_ records: NodeRecord..., isComplete: Bool = true) -> DirectoryReading {
        DirectoryReading(records: records, isComplete: isComplete)
    }

    /// Ticks every 250 ms and answers suspicions after `delay`; until an action other than a suspicion.
    private static func watch(
        _ machine: inout DirectoryMachine, from start: Double = 0, until end: Double,
        answer: (Double) -> (delay: Double, isSame: Bool?) = { _ in (0.01, true) }
    ) -> (time: Double, action: DirectoryMachine.Action)? {
        var time = start
        while time <= end {
            for action in machine.due(at: self.at(time)) {
                guard case .suspect(let id, _) = action else { return (time, action) }
                let (delay, isSame) = answer(time)
                machine.suspected(id, isSame: isSame, at: self.at(time + delay))
            }
            time += 0.25
        }
        return nil
    }

    private static func machine(name: String? = nil) -> DirectoryMachine {
        var machine = DirectoryMachine(node: self.own, name: name)
        _ = machine.read(self.reading(self.record(self.own), self.record()), at: 0)
        return machine
    }

    @Test("ND-12: what the others can take is their sum, and this node's share of it where others leave, too")
    func intake() {
        func other(_ high: UInt64, _ intake: Int?, beat: Int64 = 5, state: NodeRecord.State = .up) -> NodeRecord {
            var record = Self.record(NodeID(high: high, low: 0), beat: beat, state: state)
            record.intake = intake
            return record
        }
        var machine = DirectoryMachine(node: Self.own, name: nil)
        #expect(machine.intake(at: 0) == nil)
        _ = machine.read(Self.reading(Self.record(Self.own), other(1, 300), other(2, 0)), at: 0)
        #expect(machine.intake(at: 0) == 300)
        // An older version does not say.
        _ = machine.read(Self.reading(Self.record(Self.own), other(1, 300), other(2, 0), other(3, nil)), at: 0)
        #expect(machine.intake(at: 0) == 300 + Double(NodeRecord.unknownIntake))
        _ = machine.read(
            Self.reading(
                Self.record(Self.own), other(1, 300), other(2, 0, beat: 6, state: .draining), other(3, 100, beat: 6)),
            at: Self.at(4))
        #expect(machine.intake(at: Self.at(4)) == 200)
        // The first has not been seen to renew for 6 s: it takes nothing.
        #expect(machine.intake(at: Self.at(6)) == 50)
        // Nobody has been seen for 6 s. A database that stands still looks like this: nobody is asked for more than before.
        #expect(machine.intake(at: Self.at(10)) == 0)
        _ = machine.read(Self.reading(Self.record(Self.own), other(3, 0, beat: 7)), at: Self.at(11))
        #expect(machine.intake(at: Self.at(11)) == 0)
        // Nobody is there who might take anything, which is not the same as nobody taking anything now.
        _ = machine.read(Self.reading(Self.record(Self.own), other(3, 0, beat: 7, state: .claimed)), at: Self.at(12))
        #expect(machine.intake(at: Self.at(12)) == nil)
    }

    @Test("ND-4: suspected from 3 s on every 2 s, claimed at 10 s")
    func claim() throws {
        var machine = Self.machine()
        #expect(machine.due(at: Self.at(2.99)) == [])
        #expect(machine.due(at: Self.at(3)) == [.suspect(Self.peer, beat: 5)])
        machine.suspected(Self.peer, isSame: true, at: Self.at(3.01))
        #expect(machine.due(at: Self.at(4.9)) == [])
        #expect(machine.due(at: Self.at(5)) == [.suspect(Self.peer, beat: 5)])
        machine.suspected(Self.peer, isSame: true, at: Self.at(5.01))
        let found = try unwrapMutated(Self.watch(&machine, from: 5.25, until: 20))
        #expect(found.time == 10)
        #expect(found.action == .claim(Self.peer, expecting: Self.record()))
        let events = machine.claimed(Self.peer, isWon: true, expecting: Self.record(), at: Self.at(10.1))
        #expect(events == [.nodeClaimed(Self.peer), .reap(Self.peer, claim: 1)])
        #expect(machine.snapshot.claimed == [Self.peer])
        #expect(machine.due(at: Self.at(60)) == [])
    }

    @Test("ND-4: a beat that moves is life; one that falls back (a deposed primary) is ignored")
    func alive() {
        var machine = Self.machine()
        for second in 1...60 {
            _ = machine.read(Self.reading(Self.record(beat: 5 + Int64(second / 2))), at: Self.at(Double(second)))
            #expect(machine.due(at: Self.at(Double(second))) == [])
        }
        _ = machine.read(Self.reading(Self.record(beat: 3, state: .up)), at: Self.at(61))
        #expect(machine.snapshot.records[Self.peer]?.beat == 35)
    }

    @Test("ND-4: a failed or slow suspicion starts the 6 s anew", arguments: [nil, true] as [Bool?])
    func unwitnessed(isSame: Bool?) throws {
        var machine = Self.machine()
        // The registry is down, or slow, until 30 s: longer than any beat stands.
        let found = try unwrapMutated(
            Self.watch(&machine, until: 60) { $0 < 30 ? (isSame == nil ? 0.01 : 1.1, isSame) : (0.01, true) })
        #expect(found.time >= 36 && found.time < 40)
    }

    @Test("ND-4: a suspicion that finds another beat is life, though the readings are old")
    func contradicted() {
        var machine = Self.machine()
        let found = Self.watch(&machine, until: 100) { _ in (0.01, false) }
        #expect(found == nil)
    }

    @Test("ND-4: after a pause of its own a node has witnessed nothing")
    func pausedWitness() throws {
        var machine = Self.machine()
        #expect(Self.watch(&machine, until: 5) == nil)
        // Suspended for a minute.
        let found = try unwrapMutated(Self.watch(&machine, from: 65, until: 100))
        #expect(found.time >= 71)
    }

    @Test("ND-2: what can't be read keeps its last state; what is gone is dropped by a whole reading only")
    func partial() {
        var machine = Self.machine()
        _ = machine.read(Self.reading(Self.record(Self.own), isComplete: false), at: Self.at(2))
        #expect(machine.snapshot.records[Self.peer] != nil)
        _ = machine.read(Self.reading(Self.record(Self.own)), at: Self.at(4))
        #expect(machine.snapshot.records[Self.peer] == nil)
    }

    @Test("ND-4: a claim is taken over by the same rule when it stands still, not while it moves")
    func takeover() throws {
        var machine = Self.machine()
        let other = NodeID(high: 2, low: 0)
        for second in 0..<30 {
            let record = Self.record(state: .claimed, by: other, claimBeat: Int64(second / 2 + 1))
            let events = machine.read(Self.reading(record), at: Self.at(Double(second)))
            #expect(events == (second == 0 ? [.nodeClaimed(Self.peer)] : []))
            #expect(machine.due(at: Self.at(Double(second))) == [])
        }
        let found = try unwrapMutated(Self.watch(&machine, from: 30, until: 60))
        let last = Self.record(state: .claimed, by: other, claimBeat: 15)
        #expect(found.action == .claim(Self.peer, expecting: last))
        #expect(
            machine.claimed(Self.peer, isWon: true, expecting: last, at: Self.at(found.time)) == [
                .reap(Self.peer, claim: 16)
            ])
    }

    @Test("ND-4: a claim of unknown outcome is found by the next reading")
    func unknownClaim() throws {
        var machine = Self.machine()
        let found = try unwrapMutated(Self.watch(&machine, until: 20))
        #expect(machine.claimed(Self.peer, isWon: nil, expecting: Self.record(), at: Self.at(found.time)) == [])
        let events = machine.read(
            Self.reading(Self.record(state: .claimed, by: Self.own, claimBeat: 1)), at: Self.at(found.time + 1))
        #expect(events == [.nodeClaimed(Self.peer), .reap(Self.peer, claim: 1)])
    }

    @Test("ND-4: the tombstones of a dead reaper are scanned by whoever reaps it, over several deaths")
    func tombstones() {
        var machine = DirectoryMachine(node: Self.own, name: nil)
        let (first, second) = (NodeID(high: 2, low: 0), NodeID(high: 3, low: 0))
        let events = machine.read(
            Self.reading(
                Self.record(Self.own),
                Self.record(Self.peer, state: .gone, by: first, claimBeat: 3),
                Self.record(first, state: .gone, by: second, claimBeat: 1),
                Self.record(second, state: .claimed, by: Self.own, claimBeat: 1)), at: 0)
        #expect(events.contains(.reap(Self.peer, claim: nil)) && events.contains(.reap(first, claim: nil)))
        #expect(events.contains(.reap(second, claim: 1)))
        // Once.
        #expect(machine.read(Self.reading(Self.record(Self.own), isComplete: false), at: 1) == [])
        // Somebody who lives looks after its own; who left in good order needs nobody.
        var other = DirectoryMachine(node: Self.own, name: nil)
        let none = other.read(
            Self.reading(
                Self.record(Self.own), Self.record(first), Self.record(Self.peer, state: .gone, by: first),
                Self.record(second, state: .gone)), at: 0)
        #expect(none == [.nodeClaimed(Self.peer), .nodeClaimed(second)])
    }

    @Test("ND-3, ND-5: the own record as others left it is told")
    func ownRecord() {
        var machine = Self.machine()
        #expect(machine.read(Self.reading(Self.record(Self.own, state: .claimed)), at: 1) == [.selfSeen(.claimed)])
    }

    @Test("ND-5: of two that started with one name at the same time the larger ID stays; a newcomer is given time")
    func rivals() {
        var machine = DirectoryMachine(node: Self.own, name: "one")
        _ = machine.read(Self.reading(Self.record(Self.own, name: "one"), Self.record(name: "one")), at: 0)
        #expect(machine.rivals(at: Self.at(5), registered: 0) == [])
        #expect(machine.rivals(at: Self.at(10), registered: 0) == [Self.peer])
        var smaller = DirectoryMachine(node: NodeID(high: 0, low: 1), name: "one")
        _ = smaller.read(Self.reading(Self.record(name: "one")), at: 0)
        #expect(smaller.rivals(at: Self.at(60), registered: 0) == [])
    }
}
