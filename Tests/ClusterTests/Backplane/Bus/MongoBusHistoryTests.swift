import Dispatch
import Logging
import NIOCore
import NIOPosix
import Routing
import Testing
import Wire

@testable import Backplane

/// Tails that are too late (SPEC ND-9).
@Suite("Bus history on MongoDB", .tags(.integration), .timeLimit(.minutes(2))) struct MongoBusHistoryTests {
    /// Takes messages only while the gate is open.
    private final class SlowReceiver: ClusterReceiver {
        let inner = BusTestReceiver()
        let gate = DispatchSemaphore(value: 0)

        func receive(_ messages: [BusMessage], from sender: NodeID) {
            self.gate.wait()
            self.gate.signal()
            self.inner.receive(messages, from: sender)
        }

        func gap(_ reason: String) { self.inner.gap(reason) }
    }

    @Test(
        "ND-9: a receiver that is held up: a stream catches up with nothing lost, a lapped cursor counts a gap",
        arguments: [BusOptions.Tail.stream, .cursor])
    func lapped(tail: BusOptions.Tail) async throws {
        let stage = try await BusStage.open(MongoFixture.replicaSet.uri)
        let sender = try await stage.node(tail)
        let slow = SlowReceiver()
        let id = NodeID.random()
        var options = BusOptions()
        options.tail = tail
        options.readAheadBytes = 1 << 20
        options.inbox.holeTime = .milliseconds(300)
        let homes = HomeChoice.homes(for: id, topology: stage.topology, others: stage.directory.all)
        let record = NodeRecord(id: id, name: nil, address: nil, started: 0, homes: homes)
        stage.directory.set(record)
        let adapter = try await MongoClusterAdapter.open(
            node: id, homes: homes, topology: stage.topology, directory: stage.directory, receiver: slow,
            options: options, logger: Logger(label: "bus-test") { _ in SwiftLogNoOpLogHandler() })
        // Three times what the slot holds, each message alone in its envelope.
        let count = 48
        for number in 0..<count {
            let error = await withCheckedContinuation { continuation in
                sender.adapter.publish(
                    BusMessage(kind: .event, key: "\(number)", payload: ByteBuffer(repeating: 0, count: 1 << 19)),
                    to: record
                ) { continuation.resume(returning: $0) }
            }
            #expect(error == nil)
        }
        slow.gate.signal()
        await slow.inner.wait(forKey: "\(count - 1)", from: sender)
        let seen = slow.inner.keys(from: sender).compactMap { Int($0) }
        #expect(seen == seen.sorted())
        #expect(seen.count == Set(seen).count)
        switch tail {
        case .cursor:
            #expect(seen.count < count)
            #expect(slow.inner.gaps.count >= 1, "a gap is never silent")
            #expect(adapter.health.gaps == slow.inner.gaps.count)
        case .stream, .auto:
            #expect(seen.count == count)
            #expect(slow.inner.gaps.isEmpty)
        }
        await adapter.shutdown()
        await sender.adapter.shutdown()
    }

    @Test(
        "ND-9: a token whose history is gone: a new stream is opened, then what the slot still holds is read",
        arguments: MongoFixture.allCases)
    func lostToken(cluster: MongoFixture) async throws {
        let stage = try await BusStage.open(cluster.uri)
        let shard = stage.topology.shards[0]
        let (node, sender) = (NodeID.random(), NodeID.random())
        let pool = try MongoPool(uri: #require(shard.streamURI))
        let slot = InboxSlot(
            pool: pool, database: shard.database, collection: shard.collection(slot: 0), node: node,
            awaitTime: .milliseconds(100))
        let token = try await NIOThreadPool.singleton.runIfActive {
            // 1 and 3 are there before any tail is; 2 never comes.
            for sequence in [Int64(1), 3] {
                try Self.insert(sequence, to: node, from: sender, shard: shard, through: cluster.uri)
            }
            return try Self.tokenOf1970(slot)
        }
        var options = BusOptions()
        options.tail = .stream
        let queue = InboxQueue(limit: 1 << 20)
        let threads = BusThreads()
        let tail = HomeTail(
            index: 0, shard: shard.name, stream: slot, cursor: slot, options: options, queue: queue,
            metrics: BusMetrics(homes: 1), logger: Logger(label: "bus-test") { _ in SwiftLogNoOpLogHandler() })
        threads.start("tail") { tail.run(from: TailPosition(token: token)) }
        let start = NIODeadline.now()
        var machine = InboxMachine(node: node, homes: 1, limits: InboxLimits(), now: start)
        var actions: [InboxMachine.Action] = []
        func read(until sequence: Int64) async throws {
            var isDone = false
            while !isDone {
                let items = try await NIOThreadPool.singleton.runIfActive {
                    queue.drain(until: BusClock.now() + .seconds(1))
                }
                for item in items ?? [] {
                    let envelope = try item.envelope.get()
                    actions += machine.receive(envelope, home: 0, now: start)
                    isDone = isDone || envelope.sequence == sequence
                }
            }
        }
        try await read(until: 3)
        try await NIOThreadPool.singleton.runIfActive {
            try Self.insert(4, to: node, from: sender, shard: shard, through: cluster.uri)
        }
        try await read(until: 4)
        #expect(tail.mode == "stream")
        actions += machine.expire(at: start + .seconds(5))
        let summary = actions.map { action in
            switch action {
            case .deliver: "deliver"
            case .hole(_, let missing): "hole \(missing)"
            case .probed, .drop: "other"
            }
        }
        #expect(summary == ["deliver", "hole 2...2", "deliver", "deliver"])
        tail.stop()
        queue.close()
        await threads.join()
    }

    private static func insert(
        _ sequence: Int64, to node: NodeID, from sender: NodeID, shard: BusTopology.Shard, through uri: String
    ) throws {
        let batch = try MessageBatch.encode([BusMessage(kind: .event, key: "\(sequence)", payload: ByteBuffer())])
        var writer = BSONWriter()
        writer.append("insert", shard.collection(slot: 0))
        writer.array("documents") {
            EnvelopeDocument.append(to: &$0, to: node.text, from: sender.text, sequence: sequence, batch: batch)
        }
        _ = try MongoPool(uri: uri).client().run(writer.finish(), database: shard.database, mode: .write)
    }

    /// A real token with its time put back to 1970, which no oplog reaches.
    private static func tokenOf1970(_ slot: InboxSlot) throws -> BSONDocument {
        var tail = try MongoTail.changeStream(
            on: slot.pool.client(), database: slot.database, collection: slot.collection,
            match: TailPosition.streamMatch(for: slot.node), start: .now)
        let text = try #require(try tail.next(maxAwait: .milliseconds(1)).resumeToken?["_data"]?.string)
        return BSONDocument { $0.append("_data", "82" + "0000000100000001" + text.dropFirst(18)) }
    }
}
