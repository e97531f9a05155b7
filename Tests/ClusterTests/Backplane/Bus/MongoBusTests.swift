import Logging
import NIOCore
import NIOPosix
import Routing
import Testing
import Wire

@testable import Backplane

/// The bus on a real replica set and a real two-shard cluster, with each of the two tails (SPEC ND-10).
@Suite("Bus on MongoDB", .tags(.integration), .timeLimit(.minutes(2))) struct MongoBusTests {
    @Test("ND-6, ND-8: from two senders at once, every message once and in order", arguments: BusStage.Way.all)
    func order(way: BusStage.Way) async throws {
        let stage = try await BusStage.open(way.cluster.uri)
        let target = try await stage.node(way.tail)
        let senders = [try await stage.node(way.tail), try await stage.node(way.tail)]
        let count = 5_000
        let tally = BusTestTally()
        await withTaskGroup { group in
            for (index, sender) in senders.enumerated() {
                group.addTask {
                    for number in 0..<count { sender.publish("\(index)/\(number)", to: target, tally: tally) }
                }
            }
        }
        for (index, sender) in senders.enumerated() {
            await target.received.wait(for: count, from: sender)
            #expect(target.received.keys(from: sender) == (0..<count).map { "\(index)/\($0)" })
            await sender.adapter.flush()
        }
        #expect(tally.stored.count == 2 * count)
        #expect(target.received.gaps.isEmpty)
        #expect(target.adapter.health.gaps == 0)
        for node in senders + [target] { await node.adapter.shutdown() }
    }

    @Test("ND-2, ND-10: once open, every home has delivered a probe, by the way asked for", arguments: BusStage.Way.all)
    func probes(way: BusStage.Way) async throws {
        let stage = try await BusStage.open(way.cluster.uri)
        let node = try await stage.node(way.tail)
        #expect(node.record.homes.count == (way.cluster == .sharded ? 2 : 1))
        #expect(node.adapter.health.modes == node.record.homes.map { _ in way.tail.rawValue })
        #expect(node.adapter.health.probeAge.allSatisfy { $0 < .infinity })
        #expect(node.adapter.health.latency.allSatisfy { $0 < .infinity })
        #expect(node.adapter.findings.count == node.record.homes.count)
        await node.adapter.shutdown()
    }

    @Test("ND-10: auto finds the change stream where one can be had", arguments: MongoFixture.allCases)
    func auto(cluster: MongoFixture) async throws {
        let stage = try await BusStage.open(cluster.uri)
        let node = try await stage.node(.auto)
        #expect(node.adapter.health.modes.allSatisfy { $0 == "stream" })
        #expect(node.adapter.findings.allSatisfy { $0.contains("change stream") })
        await node.adapter.shutdown()
    }

    @Test(
        "ND-10: auto falls back to the cursor where the set cannot be reached, and says why; `stream` refuses to start")
    func fallback() async throws {
        let open = try await BusStage.open(MongoFixture.sharded.uri)
        var topology = open.topology
        for index in topology.shards.indices {
            topology.shards[index].streamURI = "mongodb://127.0.0.1:1/?replicaSet=nowhere&serverSelectionTimeoutMS=200"
        }
        let id = NodeID.random()
        let homes = HomeChoice.homes(for: id, topology: topology, others: [])
        let adapter = try await MongoClusterAdapter.open(
            node: id, homes: homes, topology: topology, directory: open.directory, receiver: BusTestReceiver(),
            logger: Logger(label: "bus-test"))
        #expect(adapter.health.modes == ["cursor", "cursor"])
        #expect(adapter.findings.allSatisfy { $0.contains("no change stream could be opened") })
        await adapter.shutdown()
        var options = BusOptions()
        options.tail = .stream
        options.startTimeout = .seconds(3)
        await #expect(throws: BusError.self) {
            _ = try await MongoClusterAdapter.open(
                node: id, homes: homes, topology: topology, directory: open.directory, receiver: BusTestReceiver(),
                options: options, logger: Logger(label: "bus-test"))
        }
    }

    @Test("ND-10: a bus on sets of its own carries the data cluster's messages")
    func busURIs() async throws {
        let stage = try await BusStage.open(MongoFixture.sharded.uri, busURIs: [MongoFixture.replicaSet.uri])
        #expect(stage.topology.shards.map(\.isRouted) == [false])
        let (one, two) = (try await stage.node(.auto), try await stage.node(.auto))
        #expect(await one.publish("x", to: two) == nil)
        await two.received.wait(forKey: "x", from: one)
        #expect(two.adapter.health.modes == ["stream"])
        for node in [one, two] { await node.adapter.shutdown() }
    }

    @Test(
        "ND-6, ND-8: an envelope that lands in both homes, or twice in one, is delivered once",
        arguments: BusStage.Way.all)
    func duplicates(way: BusStage.Way) async throws {
        let stage = try await BusStage.open(way.cluster.uri)
        let target = try await stage.node(way.tail)
        let pool = try MongoPool(uri: way.cluster.uri)
        let sender = BusTestNode(
            record: NodeRecord(id: .random(), name: nil, address: nil, started: 0, homes: []), adapter: target.adapter,
            received: target.received)
        for sequence in Int64(1)...3 {
            for home in target.record.homes + target.record.homes {
                let shard = try #require(stage.topology.shard(named: home.shard))
                let message = BusMessage(kind: .event, key: "\(sequence)", payload: ByteBuffer())
                let entry = OutboxEntry(message: message, receipt: 0, since: .now())
                let insert = OutboxInsert<Int>(
                    id: 0, lane: 0, home: home,
                    envelopes: [
                        .init(
                            target: target.id, to: target.id.text, sequence: sequence, attempt: 1, entries: [entry])
                    ], probes: [])
                let outcome = try await NIOThreadPool.singleton.runIfActive {
                    BusInsert.run(
                        insert, from: sender.id.text, collection: shard.collection(slot: home.slot),
                        database: shard.database, pool: pool, formats: .current)
                }
                #expect(outcome.stored == [true], "a duplicate key is success")
                #expect(outcome.error == nil)
            }
        }
        await target.received.wait(for: 3, from: sender)
        await target.adapter.flush()
        #expect(target.received.keys(from: sender) == ["1", "2", "3"])
        await target.adapter.shutdown()
    }

    @Test("ND-6, OP-4: an envelope of an unknown format is skipped; what follows arrives", arguments: BusStage.Way.all)
    func unknownFormat(way: BusStage.Way) async throws {
        let stage = try await BusStage.open(way.cluster.uri)
        let target = try await stage.node(way.tail)
        let sender = NodeID.random()
        let home = target.record.homes[0]
        let shard = try #require(stage.topology.shard(named: home.shard))
        let pool = try MongoPool(uri: way.cluster.uri)
        let good = try MessageBatch.encode([BusMessage(kind: .event, key: "good", payload: ByteBuffer())])
        try await NIOThreadPool.singleton.runIfActive {
            for (index, batch) in [ByteBuffer(bytes: [99, 0, 0]), ByteBuffer(), good].enumerated() {
                var writer = BSONWriter()
                writer.append("insert", shard.collection(slot: home.slot))
                writer.array("documents") {
                    EnvelopeDocument.append(
                        to: &$0, to: target.id.text, from: sender.text, sequence: Int64(index + 1), batch: batch)
                }
                _ = try pool.client().run(writer.finish(), database: shard.database, mode: .write)
            }
        }
        let node = BusTestNode(
            record: NodeRecord(id: sender, name: nil, address: nil, started: 0, homes: []), adapter: target.adapter,
            received: target.received)
        await target.received.wait(forKey: "good", from: node)
        #expect(target.received.gaps.isEmpty)
        await target.adapter.shutdown()
    }

    @Test(
        "ND-8, ND-9: a hole of a live sender is a counted gap; one of a claimed sender is none",
        arguments: BusStage.Way.all)
    func gaps(way: BusStage.Way) async throws {
        let stage = try await BusStage.open(way.cluster.uri)
        var options = BusOptions()
        options.inbox.holeTime = .milliseconds(200)
        let target = try await stage.node(way.tail, options: options)
        let pool = try MongoPool(uri: way.cluster.uri)
        let home = target.record.homes[0]
        let shard = try #require(stage.topology.shard(named: home.shard))
        for state in [NodeRecord.State.claimed, .up] {
            var record = NodeRecord(id: .random(), name: nil, address: nil, started: 0, homes: [])
            record.state = state
            stage.directory.set(record)
            let batch = try MessageBatch.encode([BusMessage(kind: .event, key: "3", payload: ByteBuffer())])
            let (to, from) = (target.id.text, record.id.text)
            _ = try await NIOThreadPool.singleton.runIfActive {
                var writer = BSONWriter()
                writer.append("insert", shard.collection(slot: home.slot))
                writer.array("documents") {
                    EnvelopeDocument.append(to: &$0, to: to, from: from, sequence: 3, batch: batch)
                }
                return try pool.client().run(writer.finish(), database: shard.database, mode: .write)
            }
            let sender = BusTestNode(record: record, adapter: target.adapter, received: target.received)
            await target.received.wait(forKey: "3", from: sender)
            #expect(target.received.gaps.count == (state == .up ? 1 : 0))
            #expect(target.adapter.health.gaps == (state == .up ? 1 : 0))
        }
        await target.adapter.shutdown()
    }

    @Test("ND-7: what waits for a target that is claimed meanwhile is told so")
    func claimed() async throws {
        let stage = try await BusStage.open(MongoFixture.replicaSet.uri)
        let sender = try await stage.node(.auto)
        let target = try await stage.node(.auto)
        var record = target.record
        record.state = .claimed
        let message = BusMessage(kind: .kick, key: "x", payload: ByteBuffer())
        let error = await withCheckedContinuation { continuation in
            sender.adapter.publish(message, to: record) { continuation.resume(returning: $0) }
        }
        #expect(error == .targetGone)
        for node in [sender, target] { await node.adapter.shutdown() }
    }

    @Test(
        "ND-6: a message of more than 1 MiB is refused before it is queued; one of 1 MiB arrives",
        arguments: BusStage.Way.all)
    func size(way: BusStage.Way) async throws {
        let stage = try await BusStage.open(way.cluster.uri)
        let sender = try await stage.node(way.tail)
        let target = try await stage.node(way.tail)
        for (extra, expected) in [(0, nil), (1, PublishError.tooLarge)] {
            let room = BusMessage.maximumSize - MessageBatch.messageOverhead - 1 + extra
            let message = BusMessage(kind: .event, key: "k", payload: ByteBuffer(repeating: 7, count: room))
            let error = await withCheckedContinuation { continuation in
                sender.adapter.publish(message, to: target.record) { continuation.resume(returning: $0) }
            }
            #expect(error == expected)
        }
        await target.received.wait(forKey: "k", from: sender)
        for node in [sender, target] { await node.adapter.shutdown() }
        #expect(await sender.publish("late", to: target) == .closed)
    }
}
