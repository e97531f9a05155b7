import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

/// One sender, one receiver with two homes, and the primary of a home that dies: from then on its inserts have no answer
/// and its tail delivers nothing, until an election is over. What it acknowledged before is still there then.
struct HomeDeathSimulation {
    static let sender = NodeID(high: 1, low: 1)
    static let receiver = NodeID(high: 2, low: 2)
    static let election = TimeAmount.seconds(11)

    enum Fate { case stored, storedWithoutAnswer, lost }

    private var generator: BusTestSeed
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private(set) var outbox: OutboxMachine<Int>
    private var inbox: InboxMachine
    private let target: NodeRecord
    private let marksReads: Bool
    private var flights: [(insert: OutboxInsert<Int>, at: NIODeadline, fate: Fate)] = []
    private var homes: [[Envelope]] = [[], []]
    private var landed: [Set<String>] = [[], []]
    private var read = [0, 0]
    private var deadUntil: [NIODeadline?] = [nil, nil]
    private(set) var acknowledged: [Int: NIODeadline] = [:]
    private(set) var delivered: [(number: Int, at: NIODeadline)] = []
    private(set) var holes: [ClosedRange<Int64>] = []
    private(set) var published = 0
    private(set) var copies = 0

    init(seed: UInt64, limits: OutboxLimits, marksReads: Bool) {
        self.generator = BusTestSeed(seed)
        self.marksReads = marksReads
        self.outbox = OutboxMachine(node: Self.sender, limits: limits)
        self.inbox = InboxMachine(node: Self.receiver, homes: 2, limits: InboxLimits(), now: self.now)
        self.target = NodeRecord(
            id: Self.receiver, name: nil, address: nil, started: 0,
            homes: ["a", "b"].map { .init(shard: $0, slot: 0) })
    }

    /// Traffic, then a death right behind an acknowledgement, then traffic or silence, until all is settled.
    mutating func run() throws {
        for _ in 0..<Int.random(in: 20...80, using: &self.generator) { try self.step(sends: true) }
        let before = self.acknowledged.count
        while self.acknowledged.count == before { try self.step(sends: true, reads: false) }
        self.kill()
        let goesOn = !self.generator.chance(30)
        let end = self.now + Self.election + .seconds(5)
        while self.now < end { try self.step(sends: goesOn && self.generator.chance(30)) }
        for _ in 0..<300 { try self.step(sends: false) }
    }

    /// Ends the home that holds most of what has not been read.
    private mutating func kill() {
        let unread = (0...1).map { self.homes[$0].count - self.read[$0] }
        let home = unread[0] >= unread[1] ? 0 : 1
        self.deadUntil[home] = self.now + Self.election
        for index in self.flights.indices where self.home(of: self.flights[index].insert) == home {
            self.flights[index].at = self.now + .seconds(2)
            self.flights[index].fate = self.generator.chance(50) ? .lost : .storedWithoutAnswer
        }
    }

    private func home(of insert: OutboxInsert<Int>) -> Int { insert.home.shard == "a" ? 0 : 1 }

    private mutating func step(sends: Bool, reads: Bool = true) throws {
        self.now = self.now + .milliseconds(Int64.random(in: 1...20, using: &self.generator))
        for home in 0...1 {
            if let until = self.deadUntil[home], until <= self.now { self.deadUntil[home] = nil }
        }
        if sends {
            for _ in 0..<Int.random(in: 0...2, using: &self.generator) {
                let message = BusMessage(kind: .event, key: "\(self.published)", payload: ByteBuffer())
                let acceptance = self.outbox.enqueue(
                    message, receipt: self.published, to: self.target, now: self.now)
                guard case .accepted = acceptance else {
                    Issue.record("refused: \(acceptance)")
                    return
                }
                self.published += 1
            }
        }
        self.note(self.outbox.tick(now: self.now).completions)
        for lane in 0..<self.outbox.laneCount {
            while let insert = self.outbox.take(lane: lane, now: self.now) { self.launch(insert) }
        }
        for flight in self.flights where flight.at <= self.now { try self.land(flight.insert, flight.fate) }
        self.flights.removeAll { $0.at <= self.now }
        if reads { self.readTails() }
    }

    private mutating func launch(_ insert: OutboxInsert<Int>) {
        self.copies += insert.envelopes.lazy.filter { $0.kept != nil }.count
        let isDead = self.deadUntil[self.home(of: insert)] != nil
        let delay = isDead ? TimeAmount.seconds(2) : .milliseconds(Int64.random(in: 1...15, using: &self.generator))
        self.flights.append((insert, self.now + delay, isDead ? .lost : .stored))
    }

    private mutating func land(_ insert: OutboxInsert<Int>, _ fate: Fate) throws {
        if fate != .lost {
            let home = self.home(of: insert)
            for envelope in insert.envelopes {
                let id = Envelope.identifier(to: envelope.to, from: "s", sequence: envelope.sequence)
                guard self.landed[home].insert(id).inserted else { continue }
                self.homes[home].append(
                    Envelope(
                        to: envelope.to, from: Self.sender.text, sequence: envelope.sequence, time: 0,
                        batch: try MessageBatch.encode(envelope.messages), age: envelope.age))
            }
        }
        let result = self.outbox.finish(
            insert, stored: insert.envelopes.map { _ in fate == .stored }, isReachable: fate == .stored, now: self.now)
        self.note(result.completions)
    }

    private mutating func readTails() {
        for home in 0...1 where self.deadUntil[home] == nil {
            // A tail that is opened again begins a little earlier.
            if self.generator.chance(2) { self.read[home] = max(0, self.read[home] - 20) }
            while self.read[home] < self.homes[home].count, !self.generator.chance(20) {
                let envelope = self.homes[home][self.read[home]]
                self.read[home] += 1
                self.perform(self.inbox.receive(envelope, home: home, now: self.now))
            }
        }
        self.perform(self.inbox.expire(at: self.now))
        if self.marksReads, self.generator.chance(10) {
            self.outbox.noteRead(by: Self.receiver, upTo: self.inbox.readMark(of: Self.sender))
        }
    }

    private mutating func perform(_ actions: [InboxMachine.Action]) {
        for action in actions {
            switch action {
            case .deliver(_, let batch, let scope):
                guard let decoded = try? MessageBatch.decode(batch) else {
                    Issue.record("a batch cannot be read")
                    continue
                }
                for message in decoded.messages where scope.admits(message.kind) {
                    if let number = Int(message.key) { self.delivered.append((number, self.now)) }
                }
            case .hole(_, let missing): self.holes.append(missing)
            case .probed, .drop: break
            }
        }
    }

    private mutating func note(_ completions: [OutboxCompletion<Int>]) {
        for completion in completions where completion.error == nil {
            for entry in completion.entries { self.acknowledged[entry.receipt] = self.now }
        }
    }
}
