import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

@Suite("Bus parts") struct BusPartsTests {
    private static func topology(_ shards: [String: Int]) -> BusTopology {
        BusTopology(
            shards: shards.map {
                .init(
                    name: $0.key, database: "d", slots: $0.value, publishURI: "mongodb://h", streamURI: nil,
                    isRouted: false)
            })
    }

    private static func record(_ low: UInt32, _ homes: [NodeRecord.Home], state: NodeRecord.State = .up) -> NodeRecord {
        var record = NodeRecord(id: NodeID(high: 5, low: low), name: nil, address: nil, started: 0, homes: homes)
        record.state = state
        return record
    }

    @Test("ND-6: two homes on different shards, one where there is one")
    func homes() {
        let node = NodeID(high: 1, low: 2)
        let two = HomeChoice.homes(for: node, topology: Self.topology(["a": 4, "b": 4, "c": 4]), others: [])
        #expect(two.count == 2)
        #expect(Set(two.map(\.shard)).count == 2)
        #expect(two.allSatisfy { (0..<4).contains($0.slot) })
        #expect(HomeChoice.homes(for: node, topology: Self.topology(["a": 4]), others: []).count == 1)
        #expect(HomeChoice.homes(for: node, topology: Self.topology(["a": 0]), others: []).isEmpty)
    }

    @Test("ND-6: as long as there are free slots, no two nodes share one, and shards are filled evenly")
    func spread() {
        let topology = Self.topology(["a": 4, "b": 4, "c": 4])
        var records: [NodeRecord] = []
        for low in 0..<6 {
            var record = Self.record(UInt32(low), [])
            record.homes = HomeChoice.homes(for: record.id, topology: topology, others: records)
            records.append(record)
        }
        let homes = records.flatMap(\.homes)
        #expect(Set(homes).count == 12)
        for shard in ["a", "b", "c"] { #expect(homes.count { $0.shard == shard } == 4) }
    }

    @Test("ND-6: slots of dead nodes are free again")
    func deadNodes() {
        let topology = Self.topology(["a": 1, "b": 2])
        let dead = Self.record(1, [.init(shard: "b", slot: 0), .init(shard: "b", slot: 1)], state: .claimed)
        let live = Self.record(2, [.init(shard: "b", slot: 1)])
        let homes = HomeChoice.homes(for: NodeID(high: 1, low: 1), topology: topology, others: [dead, live])
        #expect(homes.contains(.init(shard: "b", slot: 0)))
    }

    @Test("ND-6: a sender keeps to one home of a target, and senders differ")
    func preferredHome() {
        let target = NodeID(high: 3, low: 3)
        var counts = [0, 0]
        for low in 0..<1_000 {
            let sender = NodeID(high: 7, low: UInt32(low))
            let home = HomeChoice.preferredHome(from: sender, to: target, homes: 2)
            #expect(home == HomeChoice.preferredHome(from: sender, to: target, homes: 2))
            counts[home] += 1
        }
        #expect(counts.allSatisfy { $0 > 300 })
        #expect(HomeChoice.preferredHome(from: target, to: target, homes: 1) == 0)
    }

    @Test("ND-9: a cursor begins 10 s before the newest time, a stream behind the newest token")
    func tailPosition() {
        let node = NodeID(high: 1, low: 2)
        var position = TailPosition()
        #expect(position.filter(for: node)["t"] == nil)
        #expect(position.filter(for: node)["to"]?.string == node.text)
        guard case .now = position.streamStart else { return #expect(Bool(false), "a first stream begins now") }
        position.advance(time: 1_000 << 32 | 7)
        position.advance(time: 900 << 32)
        #expect(position.newest == BSONTimestamp(seconds: 1_000, increment: 7))
        #expect(
            position.filter(for: node)["t"]?.document?["$gte"]?.timestamp == BSONTimestamp(seconds: 990, increment: 0))
        let token = BSONDocument { $0.append("_data", "82") }
        position.advance(token: token)
        position.advance(token: nil)
        guard case .after(token) = position.streamStart else {
            return #expect(Bool(false), "a token is kept until there is a newer one")
        }
        position.loseHistory()
        guard case .now = position.streamStart else { return #expect(Bool(false), "a lost token is not used again") }
        #expect(position.newest != nil, "what the slot still holds is read from there")
        var early = TailPosition()
        early.advance(time: 3 << 32)
        #expect(
            early.filter(for: node)["t"]?.document?["$gte"]?.timestamp == BSONTimestamp(seconds: 0, increment: 0))
    }

    @Test("ND-9: lost history is told from failures that pass", arguments: [286, 136, 280, 260])
    func historyLost(code: Int32) {
        #expect(TailPosition.isHistoryLost(MongoError(.server(code), operation: "getMore", message: "")))
        #expect(!TailPosition.isHistoryLost(MongoError(.server(10107), operation: "getMore", message: "")))
        #expect(!TailPosition.isHistoryLost(MongoError(.unreachable, operation: "getMore", message: "")))
        #expect(
            TailPosition.isHistoryLost(
                MongoError(.server(1), operation: "x", message: "", labels: ["NonResumableChangeStreamError"])))
    }

    @Test("ND-6: a stored envelope is read back; a field that is missing is named")
    func envelopeDocument() throws {
        let batch = try MessageBatch.encode([BusMessage(kind: .kick, key: "d/u", payload: ByteBuffer(string: "x"))])
        var writer = BSONWriter()
        writer.array("documents") {
            EnvelopeDocument.append(to: &$0, to: "T", from: "F", sequence: 7, batch: batch)
        }
        let command = try BSONDocument(writer.finish())
        let document = try #require(command["documents"]?.array?["0"]?.document)
        #expect(document["_id"]?.string == "T.F.7")
        #expect(document["t"]?.timestamp == .empty, "empty and at the top level, so that the server fills it in")
        #expect(
            try EnvelopeDocument.decode(document) == Envelope(to: "T", from: "F", sequence: 7, time: 0, batch: batch))
        for missing in ["to", "from", "s", "t", "b"] {
            let cut = BSONDocument { cut in
                if missing != "to" { cut.append("to", "T") }
                if missing != "from" { cut.append("from", "F") }
                if missing != "s" { cut.append("s", Int64(7)) }
                if missing != "t" { cut.append("t", BSONTimestamp.empty) }
                if missing != "b" { cut.append("b", BSONBinary(batch)) }
            }
            #expect(throws: EnvelopeError.missingField(missing)) { try EnvelopeDocument.decode(cut) }
        }
    }

    @Test("STYLE, back-pressure: a full queue parks its writer; everything arrives in order")
    func inboxQueue() async {
        let queue = InboxQueue(limit: 1_000)
        let threads = BusThreads()
        threads.start("writer") {
            for sequence in Int64(1)...500 {
                let envelope = Envelope(
                    to: "T", from: "F", sequence: sequence, time: 0, batch: ByteBuffer(repeating: 0, count: 100))
                guard queue.push(.init(home: 0, envelope: .success(envelope))) else { return }
            }
        }
        threads.start("reader") {
            var seen: [Int64] = []
            while seen.count < 500, let items = queue.drain(until: BusClock.now() + .seconds(60)) {
                #expect(items.count <= 2, "no more than the limit is ever held")
                seen += items.compactMap { item in
                    if case .success(let envelope) = item.envelope { envelope.sequence } else { nil }
                }
            }
            #expect(seen == Array(1...500))
            queue.close()
            #expect(queue.drain(until: BusClock.now() + .seconds(60)) == nil)
            #expect(!queue.push(.init(home: 0, envelope: .failure(.truncated))))
        }
        await threads.join()
    }
}
