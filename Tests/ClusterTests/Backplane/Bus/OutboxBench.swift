import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

/// A machine with its own clock, and shorthands that read like a transcript.
struct OutboxBench {
    static let me = NodeID(high: 1, low: 1)
    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    static func target(_ low: UInt32, slot: Int = 0, homes: [String] = ["a", "b"]) -> NodeRecord {
        NodeRecord(
            id: NodeID(high: 2, low: low), name: nil, address: nil, started: 0,
            homes: homes.map { .init(shard: $0, slot: slot) })
    }

    static func message(_ key: Int, kind: BusMessage.Kind = .event, size: Int = 4) -> BusMessage {
        BusMessage(kind: kind, key: "\(key)", payload: ByteBuffer(repeating: 0, count: size))
    }

    var machine: OutboxMachine<Int>
    var now = Self.start
    var fates: [Int: PublishError?] = [:]

    init(_ limits: OutboxLimits = OutboxLimits()) {
        self.machine = OutboxMachine(node: Self.me, limits: limits)
    }

    @discardableResult
    mutating func enqueue(
        _ number: Int, to target: NodeRecord, kind: BusMessage.Kind = .event, size: Int = 4
    ) -> OutboxMachine<Int>.Acceptance {
        self.machine.enqueue(
            Self.message(number, kind: kind, size: size), receipt: number, to: target, now: self.now)
    }

    mutating func take(_ shard: String) -> OutboxInsert<Int>? {
        let lane = self.machine.lane(of: shard)
        return self.machine.take(lane: lane, now: self.now)
    }

    /// The next insert of whatever shard has one.
    mutating func takeAny() -> OutboxInsert<Int>? { self.take("a") ?? self.take("b") }

    /// The next insert with an envelope, trials passed over; fails the test when there is none. (A macro cannot call
    /// what changes its operand.)
    mutating func mustTake(_ shard: String? = nil) throws -> OutboxInsert<Int> {
        let insert = if let shard { self.take(shard) } else { self.takeAny() }
        if let insert, insert.envelopes.isEmpty, shard == nil { return try self.mustTake() }
        return try #require(insert)
    }

    mutating func finish(_ insert: OutboxInsert<Int>, stored: Bool, isReachable: Bool? = nil) {
        let result = self.machine.finish(
            insert, stored: insert.envelopes.map { _ in stored }, isReachable: isReachable ?? stored, now: self.now)
        self.note(result.completions)
    }

    mutating func pass(_ time: TimeAmount) {
        self.now = self.now + time
        self.note(self.machine.tick(now: self.now).completions)
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
