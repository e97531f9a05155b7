import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

@Suite("Outbox machine") struct OutboxMachineTests {
    private typealias Bench = OutboxBench

    @Test("ND-6: what arrives while an insert is in flight goes into the next envelope, numbered without a hole")
    func groupCommit() throws {
        var bench = Bench()
        let target = Bench.target(1)
        bench.enqueue(1, to: target)
        let first = try bench.mustTake()
        #expect(first.envelopes.map(\.sequence) == [1])
        for number in 2...5 { bench.enqueue(number, to: target) }
        let second = try bench.mustTake()
        #expect(second.envelopes.map(\.sequence) == [2])
        #expect(second.envelopes[0].entries.map(\.receipt) == [2, 3, 4, 5])
        #expect(second.home == first.home)
        bench.finish(second, stored: true)
        #expect(bench.fates == [2: nil, 3: nil, 4: nil, 5: nil])
        bench.finish(first, stored: true)
        #expect(bench.fates.count == 5)
        #expect(bench.machine.backlog == 0)
        #expect(bench.machine.pending == 0)
    }

    @Test("ND-6: at most four inserts are in flight per home shard; another shard has its own four")
    func inFlightLimit() {
        var bench = Bench()
        var taken = 0
        for number in 1...12 {
            bench.enqueue(number, to: Bench.target(UInt32(number), slot: number, homes: ["a"]))
            if bench.take("a") != nil { taken += 1 }
        }
        #expect(taken == 4)
        bench.enqueue(99, to: Bench.target(99, homes: ["b"]))
        #expect(bench.take("b") != nil)
    }

    @Test("ND-6: one insert carries an envelope for each target of a slot; other slots have inserts of their own")
    func slots() throws {
        var bench = Bench()
        bench.enqueue(1, to: Bench.target(1, slot: 3, homes: ["a"]))
        bench.enqueue(2, to: Bench.target(2, slot: 4, homes: ["a"]))
        bench.enqueue(3, to: Bench.target(3, slot: 3, homes: ["a"]))
        let first = try bench.mustTake("a")
        #expect(first.home.slot == 3)
        #expect(first.envelopes.map { $0.entries.map(\.receipt) } == [[1], [3]])
        #expect(bench.machine.hasWork(lane: first.lane))
        #expect(bench.take("a")?.home.slot == 4)
        #expect(bench.take("a") == nil)
    }

    @Test("ND-6: an envelope holds at most 4 MiB; the rest goes into the next ones, in order")
    func envelopeSize() throws {
        var bench = Bench()
        let target = Bench.target(1, homes: ["a"])
        let size = BusMessage.maximumSize - MessageBatch.messageOverhead - 2
        for number in 1...9 { bench.enqueue(number, to: target, size: size) }
        var seen: [Int] = []
        while let insert = bench.take("a") {
            for envelope in insert.envelopes {
                let batch = try MessageBatch.encode(envelope.entries.map(\.message))
                #expect(batch.readableBytes <= Envelope.maximumSize)
                seen += envelope.entries.map(\.receipt)
            }
        }
        #expect(seen == Array(1...9))
    }

    @Test("Beside what is under way goes only as much again; the rest waits for an answer, or for a repeat (ADR 0036)")
    func heldBack() throws {
        var bench = Bench()
        let target = Bench.target(1)
        bench.enqueue(1, to: target)
        let first = try bench.mustTake()
        bench.enqueue(2, to: target)
        let second = try bench.mustTake()
        bench.enqueue(3, to: target)
        #expect(bench.takeAny() == nil, "one beside two")
        bench.enqueue(4, to: target)
        let third = try bench.mustTake()
        #expect(third.envelopes.map { $0.entries.map(\.receipt) } == [[3, 4]])
        bench.enqueue(5, to: target)
        #expect(bench.takeAny() == nil, "one beside four")
        bench.finish(third, stored: true)
        #expect(bench.takeAny() == nil, "one beside two")
        bench.finish(first, stored: true)
        let fourth = try bench.mustTake()
        #expect(fourth.envelopes.map { $0.entries.map(\.receipt) } == [[5]])
        for number in 6...7 { bench.enqueue(number, to: target) }
        let fifth = try bench.mustTake()
        bench.enqueue(8, to: target)
        #expect(bench.takeAny() == nil, "one beside four")
        // What has to be repeated holds nobody up.
        bench.finish(second, stored: false)
        bench.finish(fourth, stored: false)
        bench.finish(fifth, stored: false)
        var carried: [Int] = []
        while let insert = bench.takeAny() { carried += insert.envelopes.flatMap { $0.entries.map(\.receipt) } }
        #expect(Set(carried) == [2, 5, 6, 7, 8])
    }

    @Test("ND-7: without an answer for 1 s the same envelope goes to the other home, then to both in turn")
    func otherHome() throws {
        var bench = Bench()
        let target = Bench.target(1)
        bench.enqueue(1, to: target)
        let first = try bench.mustTake()
        bench.pass(.milliseconds(999))
        #expect(bench.takeAny() == nil)
        bench.pass(.milliseconds(1))
        let second = try bench.mustTake()
        #expect(second.home.shard != first.home.shard)
        #expect(second.envelopes.map(\.sequence) == [1])
        #expect(second.envelopes[0].entries.map(\.receipt) == [1])
        bench.pass(.seconds(1))
        let third = try bench.mustTake()
        #expect(third.home.shard == first.home.shard)
        #expect(third.envelopes.map(\.sequence) == [1])
        // Whichever answers first decides; the others change nothing.
        bench.finish(first, stored: true)
        #expect(bench.fates == [1: nil])
        bench.finish(second, stored: false)
        bench.finish(third, stored: true)
        bench.pass(.seconds(20))
        #expect(bench.fates == [1: nil])
        #expect(bench.machine.pending == 0)
    }

    @Test("ND-7: a failed insert goes to the other home at once; once both failed, a pause comes between attempts")
    func failure() throws {
        var bench = Bench()
        bench.enqueue(1, to: Bench.target(1))
        let first = try bench.mustTake()
        bench.finish(first, stored: false)
        let second = try bench.mustTake()
        #expect(second.home.shard != first.home.shard)
        bench.finish(second, stored: false)
        #expect(bench.takeAny()?.envelopes.isEmpty ?? true)
        bench.pass(.milliseconds(200))
        var shards: [String] = []
        while let insert = bench.takeAny() {
            if !insert.envelopes.isEmpty {
                shards.append(insert.home.shard)
                bench.finish(insert, stored: true)
            }
        }
        #expect(shards == [first.home.shard])
        #expect(bench.fates == [1: nil])
    }

    @Test("ND-7: a target with one home is repeated there, same number")
    func singleHome() throws {
        var bench = Bench()
        bench.enqueue(1, to: Bench.target(1, homes: ["a"]))
        let first = try bench.mustTake("a")
        bench.finish(first, stored: false)
        bench.pass(.milliseconds(200))
        let second = try bench.mustTake("a")
        #expect(second.envelopes.map(\.sequence) == [1])
        #expect(second.envelopes.map(\.attempt) == [2])
        bench.finish(second, stored: true)
        #expect(bench.fates == [1: nil])
    }

    @Test("ND-7: after 10 s an envelope is given up; an empty one of the same number takes its place")
    func givenUp() throws {
        var bench = Bench()
        let target = Bench.target(1)
        bench.enqueue(1, to: target, kind: .event)
        bench.enqueue(2, to: target, kind: .kick)
        let first = try bench.mustTake()
        var last = first
        for _ in 0..<10 {
            bench.pass(.seconds(1))
            while let next = bench.takeAny() { last = next }
        }
        #expect(bench.fates == [1: .backlog, 2: .backlog])
        #expect(bench.machine.pending == 0)
        #expect(bench.machine.backlog == 0)
        var empty = last
        for _ in 0..<3 where !empty.envelopes.contains(where: { $0.entries.isEmpty }) {
            bench.finish(empty, stored: false)
            bench.pass(.seconds(1))
            while let next = bench.takeAny() { empty = next }
        }
        let envelope = try #require(empty.envelopes.first)
        #expect(envelope.sequence == 1)
        #expect(envelope.entries.isEmpty)
        bench.finish(empty, stored: true)
        // The next message goes on behind it.
        bench.enqueue(3, to: target)
        var next: [Int64] = []
        while let insert = bench.takeAny() { next += insert.envelopes.map(\.sequence) }
        #expect(next == [2])
    }

    @Test("ND-7: messages that waited 10 s without an envelope are given up and leave no number behind")
    func waitingExpires() throws {
        var limits = OutboxLimits()
        limits.openEnvelopes = 1
        var bench = Bench(limits)
        let target = Bench.target(1, homes: ["a"])
        bench.enqueue(1, to: target)
        let first = try bench.mustTake("a")
        bench.enqueue(2, to: target)
        bench.pass(.seconds(4))
        bench.enqueue(3, to: target)
        bench.pass(.seconds(6))
        #expect(bench.fates == [1: .backlog, 2: .backlog])
        bench.finish(first, stored: true)
        var sequences: [Int64] = []
        while let insert = bench.take("a") {
            sequences += insert.envelopes.map(\.sequence)
            bench.finish(insert, stored: true)
        }
        #expect(sequences == [2])
        #expect(bench.fates[3] == .some(nil))
    }

    @Test("ND-7: a sender holds at most 32 MiB for one target, and as much for the next")
    func backlogLimit() {
        var bench = Bench()
        let target = Bench.target(1)
        let size = BusMessage.maximumSize - 200
        var accepted = 0
        while bench.enqueue(accepted, to: target, size: size) != .refused(.backlog) { accepted += 1 }
        #expect(accepted == 32)
        #expect(bench.machine.backlog <= 32 << 20)
        #expect(bench.enqueue(99, to: target, kind: .kick, size: size) == .refused(.backlog))
        #expect(bench.enqueue(100, to: Bench.target(2), size: size) != .refused(.backlog))
    }

    @Test("ND-7: for a claimed target nothing is queued, and what was queued is told so")
    func claimedTarget() throws {
        var bench = Bench()
        let target = Bench.target(1)
        for number in 1...2 { bench.enqueue(number, to: target) }
        let first = try bench.mustTake()
        bench.enqueue(3, to: target, kind: .kick)
        bench.note(bench.machine.close(target.id))
        #expect(bench.fates == [1: .targetGone, 2: .targetGone, 3: .targetGone])
        #expect(bench.enqueue(4, to: target) == .refused(.targetGone))
        bench.finish(first, stored: true)
        #expect(bench.takeAny() == nil)
        #expect(bench.machine.pending == 0)
        #expect(bench.machine.backlog == 0)
        for state in [NodeRecord.State.claimed, .gone] {
            var record = Bench.target(7)
            record.state = state
            #expect(bench.enqueue(5, to: record) == .refused(.targetGone))
        }
        var superseded = Bench.target(8)
        superseded.state = .superseded
        #expect(bench.enqueue(6, to: superseded) != .refused(.targetGone))
    }

    @Test("ND-14: a shard without answers is avoided until a trial succeeds; its waiting messages go to the other home")
    func suspectShard() throws {
        var bench = Bench()
        let target = Bench.target(1)
        for numbers in [1...1, 2...2, 3...4, 5...8] {
            for number in numbers { bench.enqueue(number, to: target) }
            #expect(bench.takeAny() != nil)
        }
        // The shard hangs, its lane is full, these wait.
        for number in 9...16 { bench.enqueue(number, to: target) }
        #expect(bench.takeAny() == nil)
        bench.pass(.seconds(1))
        var shards: Set<String> = []
        var carried: [Int] = []
        var trial: OutboxInsert<Int>?
        for _ in 0..<4 {
            guard let insert = bench.takeAny() else { break }
            if insert.envelopes.isEmpty { trial = insert } else { shards.insert(insert.home.shard) }
            carried += insert.envelopes.flatMap { $0.entries.map(\.receipt) }
            if !insert.envelopes.isEmpty { bench.finish(insert, stored: true) }
        }
        #expect(shards.count == 1)
        #expect(carried.sorted() == Array(1...16))
        #expect(trial == nil, "the hanging lane has no room even for a trial")
        let hung = shards == ["a"] ? "b" : "a"
        // New messages avoid the shard too.
        bench.enqueue(17, to: target)
        #expect(bench.take(hung) == nil)
        let avoided = try bench.mustTake()
        #expect(avoided.home.shard != hung)
        bench.finish(avoided, stored: true)
    }

    @Test("ND-14: after a failure a shard gets one trial a second; its success brings the traffic back")
    func recovery() throws {
        var bench = Bench()
        let target = Bench.target(1)
        bench.enqueue(1, to: target)
        let failed = try bench.mustTake()
        bench.finish(failed, stored: false)
        let other = try bench.mustTake()
        bench.finish(other, stored: true)
        bench.pass(.seconds(1))
        let trial = try bench.mustTake(failed.home.shard)
        #expect(trial.envelopes.isEmpty)
        #expect(trial.probes.count == 1)
        bench.pass(.milliseconds(100))
        #expect(bench.take(failed.home.shard) == nil)
        bench.finish(trial, stored: true, isReachable: true)
        bench.enqueue(2, to: target)
        let back = try bench.mustTake(failed.home.shard)
        #expect(back.envelopes.map(\.sequence) == [2])
        #expect(trial.probes[0].sequence != back.envelopes[0].sequence)
    }

    @Test("ND-10: a probe goes through the lane of its own home and no other")
    func probe() throws {
        var bench = Bench()
        _ = bench.machine.probe(.init(shard: "a", slot: 2), sequence: 1)
        _ = bench.machine.probe(.init(shard: "a", slot: 2), sequence: 2)
        #expect(bench.take("b") == nil)
        let insert = try bench.mustTake("a")
        #expect(insert.home == .init(shard: "a", slot: 2))
        #expect(insert.probes.map(\.sequence) == [2], "one that was stuck is replaced")
        bench.finish(insert, stored: true, isReachable: true)
        #expect(bench.take("a") == nil)
    }

    @Test("ND-12: after shutting down everything completes as closed, and nothing is taken")
    func shutDown() throws {
        var bench = Bench()
        let target = Bench.target(1)
        bench.enqueue(1, to: target)
        let insert = try bench.mustTake()
        bench.enqueue(2, to: target)
        bench.note(bench.machine.shutDown())
        #expect(bench.fates == [1: .closed, 2: .closed])
        bench.finish(insert, stored: true)
        #expect(bench.takeAny() == nil)
        #expect(bench.enqueue(3, to: target) == .refused(.closed))
        #expect(bench.machine.pending == 0)
    }

    @Test("ND-7: a silent target is forgotten after an hour, one that is in use is not")
    func forget() {
        var bench = Bench()
        let target = Bench.target(1, homes: ["a"])
        bench.enqueue(1, to: target)
        bench.machine.forgetIfSilent(target.id, now: bench.now + .hours(2))
        #expect(bench.machine.knownTargets().count == 1)
        while let insert = bench.take("a") { bench.finish(insert, stored: true) }
        bench.machine.forgetIfSilent(target.id, now: bench.now + .minutes(59))
        #expect(bench.machine.knownTargets().count == 1)
        bench.machine.forgetIfSilent(target.id, now: bench.now + .hours(1))
        #expect(bench.machine.knownTargets().isEmpty)
    }

    @Test("ND-6: a message for a node without a home is refused")
    func homeless() {
        var bench = Bench()
        #expect(bench.enqueue(1, to: Bench.target(1, homes: [])) == .refused(.targetGone))
    }
}
