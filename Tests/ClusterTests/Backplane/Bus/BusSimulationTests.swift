import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

/// An outbox and an inbox with two homes between them that fail, hang, lose answers and deliver twice.
@Suite("Bus simulation") struct BusSimulationTests {
    private static let sender = NodeID(high: 1, low: 1)
    private static let receiver = NodeID(high: 2, low: 2)

    private struct World {
        var generator: BusTestSeed
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        var outbox: OutboxMachine<Int>
        var inbox: InboxMachine
        let target: NodeRecord
        /// Inserts under way, and when the answer comes.
        var flights: [(insert: OutboxInsert<Int>, at: NIODeadline, fate: Fate)] = []
        /// What each home holds, in the order of landing, and how far its tail has read.
        var homes: [[Envelope]] = [[], []]
        var landed: [Set<String>] = [[], []]
        var read = [0, 0]
        var delivered: [Int] = []
        var fates: [Int: PublishError?] = [:]
        var holes: [ClosedRange<Int64>] = []
        /// Failures happen as long as this is on.
        var isStormy = true

        enum Fate { case stored, storedWithoutAnswer, refused, hung }

        init(seed: UInt64, homes: Int, limits: OutboxLimits) {
            self.generator = BusTestSeed(seed)
            self.outbox = OutboxMachine(node: BusSimulationTests.sender, limits: limits)
            self.inbox = InboxMachine(
                node: BusSimulationTests.receiver, homes: 2, limits: InboxLimits(), now: self.now)
            self.target = NodeRecord(
                id: BusSimulationTests.receiver, name: nil, address: nil, started: 0,
                homes: ["a", "b"].prefix(homes).map { .init(shard: $0, slot: 0) })
        }

        mutating func step() throws {
            self.now = self.now + .milliseconds(Int64.random(in: 1...60, using: &self.generator))
            self.note(self.outbox.tick(now: self.now).completions)
            for lane in 0..<self.outbox.laneCount where !self.generator.chance(20) {
                while let insert = self.outbox.take(lane: lane, now: self.now) { self.launch(insert) }
            }
            for flight in self.flights where flight.at <= self.now { try self.land(flight.insert, flight.fate) }
            self.flights.removeAll { $0.at <= self.now }
            self.readTails()
        }

        mutating func launch(_ insert: OutboxInsert<Int>) {
            let fate: Fate =
                !self.isStormy || self.generator.chance(60)
                ? .stored : [.storedWithoutAnswer, .refused, .hung].randomElement(using: &self.generator)!
            let delay: Int64 =
                fate == .hung
                ? Int64.random(in: 1_000...3_000, using: &self.generator)
                : Int64.random(in: 1...(self.isStormy ? 200 : 10), using: &self.generator)
            self.flights.append((insert, self.now + .milliseconds(delay), fate))
        }

        mutating func land(_ insert: OutboxInsert<Int>, _ fate: Fate) throws {
            let isStored = fate == .stored || fate == .storedWithoutAnswer
            if isStored {
                let home = insert.home.shard == "a" ? 0 : 1
                for envelope in insert.envelopes {
                    let id = Envelope.identifier(to: envelope.to, from: "s", sequence: envelope.sequence)
                    guard self.landed[home].insert(id).inserted else { continue }
                    self.homes[home].append(
                        Envelope(
                            to: envelope.to, from: BusSimulationTests.sender.text, sequence: envelope.sequence, time: 0,
                            batch: try MessageBatch.encode(envelope.messages)))
                }
            }
            let result = self.outbox.finish(
                insert, stored: insert.envelopes.map { _ in fate == .stored }, isReachable: fate == .stored,
                now: self.now)
            self.note(result.completions)
        }

        mutating func readTails() {
            for home in 0...1 {
                // A tail may be opened again a little earlier than where it was.
                if self.isStormy, self.generator.chance(5) { self.read[home] = max(0, self.read[home] - 5) }
                while self.read[home] < self.homes[home].count, !self.generator.chance(30) {
                    let envelope = self.homes[home][self.read[home]]
                    self.read[home] += 1
                    self.perform(self.inbox.receive(envelope, home: home, now: self.now))
                }
            }
            self.perform(self.inbox.expire(at: self.now))
        }

        mutating func perform(_ actions: [InboxMachine.Action]) {
            for action in actions {
                switch action {
                case .deliver(_, let batch, let scope):
                    guard let decoded = try? MessageBatch.decode(batch) else { continue }
                    self.delivered += decoded.messages.filter { scope.admits($0.kind) }.compactMap { Int($0.key) }
                case .hole(_, let missing): self.holes.append(missing)
                case .probed, .drop: break
                }
            }
        }

        mutating func note(_ completions: [OutboxCompletion<Int>]) {
            for completion in completions {
                for entry in completion.entries {
                    #expect(self.fates[entry.receipt] == nil, "one fate per message")
                    self.fates[entry.receipt] = .some(completion.error)
                }
            }
        }
    }

    @Test(
        "ND-6 to ND-8: once, in order, nothing lost that was acknowledged, whatever the homes do",
        arguments: UInt64(0)..<150)
    func storm(seed: UInt64) throws {
        var limits = OutboxLimits()
        limits.openEnvelopes = Int(seed % 8) + 1
        var world = World(seed: seed, homes: seed % 5 == 0 ? 1 : 2, limits: limits)
        var published = 0
        for _ in 0..<300 {
            for _ in 0..<Int.random(in: 0...4, using: &world.generator) {
                let message = BusMessage(kind: .event, key: "\(published)", payload: ByteBuffer())
                let acceptance = world.outbox.enqueue(message, receipt: published, to: world.target, now: world.now)
                guard case .accepted = acceptance else {
                    Issue.record("refused: \(acceptance), seed \(seed)")
                    continue
                }
                published += 1
            }
            try world.step()
        }
        world.isStormy = false
        for _ in 0..<1_000 { try world.step() }

        #expect(world.fates.count == published, "every message has its fate, seed \(seed)")
        #expect(world.outbox.pending == 0)
        #expect(world.outbox.backlog == 0)
        #expect(world.delivered.count == Set(world.delivered).count, "nothing twice, seed \(seed)")
        #expect(world.delivered == world.delivered.sorted(), "in order, seed \(seed)")
        // A hole can only come from an envelope that took longer than 5 s to land anywhere.
        if world.holes.isEmpty {
            let acknowledged = world.fates.filter { $0.value == nil }.keys
            #expect(Set(acknowledged).isSubset(of: world.delivered), "seed \(seed)")
        }
        let sequences = Set(world.homes.joined().map(\.sequence))
        #expect(sequences == Set(1...Int64(max(1, sequences.count))), "no number is left out, seed \(seed)")
    }
}
