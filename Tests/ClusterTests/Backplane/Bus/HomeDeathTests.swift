import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

/// SPEC ND-6 to ND-8: an acknowledged event is not late because the primary of the home where it lies has died.
@Suite("Death of a home") struct HomeDeathTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private static let me = NodeID(high: 1, low: 1)

    private static func target(_ low: UInt32 = 1, homes: [String] = ["a", "b"]) -> NodeRecord {
        NodeRecord(
            id: NodeID(high: 2, low: low), name: nil, address: nil, started: 0,
            homes: homes.map { .init(shard: $0, slot: 0) })
    }

    @Test(
        "A primary dies right behind an acknowledgement: everything acknowledged comes in order, once, in 3 s",
        arguments: UInt64(0)..<200)
    func death(seed: UInt64) throws {
        var world = HomeDeathSimulation(seed: seed, limits: OutboxLimits(), marksReads: seed % 2 == 0)
        try world.run()
        let numbers = world.delivered.map(\.number)
        #expect(numbers == numbers.sorted() && numbers.count == Set(numbers).count, "in order, once; seed \(seed)")
        #expect(world.holes.isEmpty, "seed \(seed)")
        #expect(world.outbox.pending == 0)
        let arrivals = Dictionary(uniqueKeysWithValues: world.delivered.map { ($0.number, $0.at) })
        for (number, acknowledged) in world.acknowledged {
            guard let arrival = arrivals[number] else {
                Issue.record("\(number) was acknowledged and did not come; seed \(seed)")
                continue
            }
            #expect(arrival - acknowledged <= .seconds(3), "\(number) came late; seed \(seed)")
        }
    }

    @Test("The same schedules without keeping anything: events that were acknowledged are lost or late")
    func control() throws {
        var limits = OutboxLimits()
        limits.keptBytes = 0
        var lost = 0
        var late = 0
        for seed in UInt64(0)..<200 {
            var world = HomeDeathSimulation(seed: seed, limits: limits, marksReads: false)
            try world.run()
            let arrivals = Dictionary(uniqueKeysWithValues: world.delivered.map { ($0.number, $0.at) })
            lost += world.acknowledged.keys.lazy.filter { arrivals[$0] == nil }.count
            late +=
                world.acknowledged.lazy.filter { number, acknowledged in
                    arrivals[number].map { $0 - acknowledged > .seconds(3) } ?? false
                }.count
        }
        #expect(lost > 20 && late > 20, "lost \(lost), late \(late)")
    }

    @Test("What the target has read is forgotten and not copied, also where the word comes before the answer")
    func readMarks() throws {
        var machine = OutboxMachine<Int>(node: Self.me, limits: OutboxLimits())
        let target = Self.target()
        var inserts: [OutboxInsert<Int>] = []
        // Each as much as what is under way (ADR 0036).
        for numbers in [1...1, 2...2, 3...4, 5...8] {
            for number in numbers {
                _ = machine.enqueue(
                    BusMessage(kind: .event, key: "\(number)", payload: ByteBuffer()), receipt: number, to: target,
                    now: Self.start)
            }
            inserts += (0..<2).compactMap { machine.take(lane: $0, now: Self.start) }
        }
        #expect(inserts.flatMap { $0.envelopes.map(\.sequence) } == [1, 2, 3, 4])
        for insert in inserts[..<3] {
            _ = machine.finish(insert, stored: [true], isReachable: true, now: Self.start)
        }
        #expect(machine.keptBytes > 0)
        machine.noteRead(by: target.id, upTo: 9)
        #expect(machine.keptBytes > 0, "a mark beyond what was sent is not believed")
        machine.noteRead(by: target.id, upTo: 4)
        #expect(machine.keptBytes == 0)
        _ = machine.finish(inserts[3], stored: [true], isReachable: true, now: Self.start)
        #expect(machine.keptBytes == 0)
    }

    @Test("An envelope says how far its sender has read; where none goes, an empty one does after 1 MiB")
    func owedMark() throws {
        var machine = OutboxMachine<Int>(node: Self.me, limits: OutboxLimits())
        let peer = Self.target()
        #expect(machine.noteReceived(from: peer, upTo: 7, bytes: 1_000, now: Self.start) == nil)
        let woken = machine.noteReceived(from: peer, upTo: 8, bytes: 1 << 20, now: Self.start)
        let lane = try #require(woken)
        let taken = machine.take(lane: lane, now: Self.start)
        let insert = try #require(taken)
        #expect(insert.envelopes.map(\.readMark) == [8])
        #expect(insert.envelopes.map(\.messages) == [[]])
        let again = machine.take(lane: lane, now: Self.start)
        #expect(again == nil, "once")
        _ = machine.finish(insert, stored: [true], isReachable: true, now: Self.start)
        _ = machine.enqueue(
            BusMessage(kind: .event, key: "k", payload: ByteBuffer()), receipt: 1, to: peer, now: Self.start)
        let next = machine.take(lane: lane, now: Self.start)
        #expect(next?.envelopes.map(\.readMark) == [8])
    }

    @Test("Kept bytes are bounded per target, the oldest go first and are counted; after a minute all are forgotten")
    func bounds() throws {
        var limits = OutboxLimits()
        limits.keptBytes = 10_000
        var machine = OutboxMachine<Int>(node: Self.me, limits: limits)
        let targets = (1...3).map { Self.target(UInt32($0)) }
        var evictions = 0
        for number in 0..<300 {
            _ = machine.enqueue(
                BusMessage(kind: .event, key: "", payload: ByteBuffer(repeating: 0, count: 500)), receipt: number,
                to: targets[number % 3], now: Self.start)
            for lane in 0..<machine.laneCount {
                while let insert = machine.take(lane: lane, now: Self.start) {
                    _ = machine.finish(
                        insert, stored: insert.envelopes.map { _ in true }, isReachable: true, now: Self.start)
                }
            }
            #expect(machine.keptBytes <= 3 * 10_000)
            evictions += machine.takeKeptEvictions()
        }
        #expect(machine.keptBytes > 3 * 9_000)
        #expect(evictions > 200)
        _ = machine.tick(now: Self.start + .seconds(60))
        #expect(machine.keptBytes > 0)
        _ = machine.tick(now: Self.start + .seconds(61))
        #expect(machine.keptBytes == 0)
    }

    @Test("Nothing is kept for a target with one home or none that is alive")
    func nothingToKeep() throws {
        var machine = OutboxMachine<Int>(node: Self.me, limits: OutboxLimits())
        let single = Self.target(homes: ["a"])
        let pair = Self.target(2)
        for (number, target) in [single, pair].enumerated() {
            _ = machine.enqueue(
                BusMessage(kind: .event, key: "", payload: ByteBuffer()), receipt: number, to: target, now: Self.start)
        }
        for lane in 0..<machine.laneCount {
            while let insert = machine.take(lane: lane, now: Self.start) {
                _ = machine.finish(
                    insert, stored: insert.envelopes.map { _ in true }, isReachable: true, now: Self.start)
            }
        }
        let kept = machine.keptBytes
        #expect(kept > 0)
        #expect(kept < 512, "the other one's only")
        _ = machine.close(pair.id)
        #expect(machine.keptBytes == 0)
    }

    @Test("ND-8: an envelope that a sender copies is as old as its original", arguments: [Int64(0), 30, 55])
    func ageOfCopies(age: Int64) throws {
        var inbox = InboxMachine(node: Self.target().id, homes: 1, limits: InboxLimits(), now: Self.start)
        let due = inbox.dueProbes(at: Self.start)
        let (_, probe) = try #require(due.first)
        let me = Self.target().id.text
        _ = inbox.receive(
            Envelope(to: me, from: me, sequence: probe, time: 1_000 << 32, batch: MessageBatch.empty), home: 0,
            now: Self.start)
        let batch = MessageBatch.empty
        let copy = Envelope(to: me, from: Self.me.text, sequence: 1, time: 990 << 32, batch: batch, age: age)
        let scope: InboxMachine.Scope = 10 + age > 60 ? .lasting : .all
        let actions = inbox.receive(copy, home: 0, now: Self.start)
        #expect(actions == [.deliver(from: Self.me, batch: batch, scope: scope)])
    }

    @Test("ND-8: whatever comes again, however late and through whatever home, is never delivered twice")
    func lateDuplicates() {
        for seed in UInt64(0)..<100 {
            var generator = BusTestSeed(seed)
            var ledger = SenderLedger<Int64>(now: Self.start)
            var delivered: [Int64: Int] = [:]
            for _ in 0..<500 {
                let sequence = Int64.random(in: 1...120, using: &generator)
                switch ledger.arrive(sequence, item: sequence, size: 1, now: Self.start) {
                case .next, .late: delivered[sequence, default: 0] += 1
                case .early, .duplicate: break
                }
                while let item = ledger.popReady() { delivered[item, default: 0] += 1 }
                if generator.chance(10), ledger.giveUp(remembering: 2) != nil {
                    while let item = ledger.popReady() { delivered[item, default: 0] += 1 }
                }
            }
            #expect(delivered.values.allSatisfy { $0 == 1 }, "seed \(seed)")
        }
    }
}
