import Dispatch
import Logging
import NIOCore
import NIOPosix
import Routing
import Synchronization
import Testing
import Wire

@testable import Backplane

/// What a bus on a real cluster survives. One fault after the other: each has the cluster to itself.
@Suite("Bus faults on MongoDB", .tags(.integration), .serialized, .timeLimit(.minutes(3)))
struct MongoBusFaultTests {
    /// Publishes numbers, a window of them at a time, until told to stop.
    private final class Traffic: Sendable {
        private struct State {
            var publisher: Task<Void, Never>?
            var waiter: CheckedContinuation<Void, Never>?
            var waitsFor = 0
            var stored = 0
        }

        let sender: BusTestNode
        let target: BusTestNode
        let tally = BusTestTally()
        private let state = Mutex(State())
        /// As many as there is room for messages in flight.
        private let permits = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1_024))

        init(from sender: BusTestNode, to target: BusTestNode) {
            self.sender = sender
            self.target = target
        }

        /// Keeps `window` messages in flight. One task publishes, so that the numbers are handed in in their order.
        func start(window: Int = 32) {
            for _ in 0..<window { self.permits.continuation.yield() }
            let task = Task {
                var number = 0
                for await _ in self.permits.stream {
                    self.publish(number)
                    number += 1
                }
            }
            self.state.withLock { $0.publisher = task }
        }

        /// Returns once so many more messages were stored.
        func advance(by count: Int) async {
            await withCheckedContinuation { continuation in
                self.state.withLock { state in
                    state.waitsFor = state.stored + count
                    state.waiter = continuation
                }
            }
        }

        /// Stops, waits for the fate of everything, and for the delivery of what was stored.
        func stop() async {
            self.permits.continuation.finish()
            await self.state.withLock { $0.publisher }?.value
            await self.sender.adapter.flush()
            guard let last = self.tally.stored.compactMap({ Int($0) }).max() else { return }
            await self.target.received.wait(forKey: "\(last)", from: self.sender)
        }

        private func publish(_ number: Int) {
            let key = "\(number)"
            self.sender.adapter.publish(
                BusMessage(kind: .event, key: key, payload: ByteBuffer(repeating: 0, count: 64)),
                to: self.target.record
            ) { error in
                self.tally.note(key, error)
                let waiter = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
                    if error == nil { state.stored += 1 }
                    guard state.waiter != nil, state.stored >= state.waitsFor else { return nil }
                    return state.waiter.take()
                }
                waiter?.resume()
                self.permits.continuation.yield()
            }
        }

        /// Once, in order, and everything that was acknowledged.
        func check() {
            let seen = self.target.received.keys(from: self.sender).compactMap { Int($0) }
            #expect(seen == seen.sorted(), "in order")
            #expect(seen.count == Set(seen).count, "once")
            let lost = Set(self.tally.stored.compactMap { Int($0) }).subtracting(seen)
            #expect(lost.isEmpty, "nothing is lost that was acknowledged")
            #expect(self.target.received.gaps.isEmpty)
            #expect(self.tally.failed.isEmpty)
        }
    }

    @Test(
        "ND-6, ND-9: a primary steps down under traffic: nothing lost, doubled or reordered",
        arguments: [BusOptions.Tail.stream, .cursor])
    func stepDown(tail: BusOptions.Tail) async throws {
        let cluster = try BusFaultCluster.replicaSet.get()
        let stage = try await BusStage.open(cluster.uri)
        let traffic = Traffic(from: try await stage.node(tail), to: try await stage.node(tail))
        traffic.start()
        await traffic.advance(by: 200)
        try await cluster.fault("stop-primary", "1")
        await traffic.advance(by: 500)
        await traffic.stop()
        traffic.check()
        for node in [traffic.sender, traffic.target] { await node.adapter.shutdown() }
    }

    @Test(
        "ND-7, ND-11: with one home's shard hung the other takes over; when it wakes, nothing comes twice",
        arguments: [BusOptions.Tail.stream, .cursor])
    func pausedShard(tail: BusOptions.Tail) async throws {
        let cluster = try BusFaultCluster.sharded.get()
        let stage = try await BusStage.open(cluster.uri)
        let traffic = Traffic(from: try await stage.node(tail), to: try await stage.node(tail))
        traffic.start()
        await traffic.advance(by: 200)
        let (sender, target) = (traffic.sender, traffic.target)
        let preferred = HomeChoice.preferredHome(from: sender.id, to: target.id, homes: target.record.homes.count)
        let number = target.record.homes[preferred].shard.filter(\.isNumber)
        try await cluster.fault("pause-shard", number)
        await traffic.advance(by: 1_000)
        #expect(!target.adapter.health.isDegraded)
        try await cluster.fault("resume-shard", number)
        await traffic.advance(by: 200)
        await traffic.stop()
        traffic.check()
        for node in [sender, target] { await node.adapter.shutdown() }
    }

    @Test(
        "ND-9, ND-10: the server kills every cursor under traffic: the tails resume, nothing is lost",
        arguments: [BusOptions.Tail.stream, .cursor])
    func killedTails(tail: BusOptions.Tail) async throws {
        let cluster = try BusFaultCluster.sharded.get()
        let stage = try await BusStage.open(cluster.uri)
        let traffic = Traffic(from: try await stage.node(tail), to: try await stage.node(tail))
        traffic.start()
        for _ in 0..<3 {
            await traffic.advance(by: 200)
            for shard in stage.topology.shards {
                guard let uri = shard.streamURI else { continue }
                try await NIOThreadPool.singleton.runIfActive {
                    let kill = BSONWriter.document { command in command.array("killAllSessions") { _ in } }
                    // The command kills its own session too.
                    _ = try? MongoPool(uri: uri).client().run(kill, database: "admin")
                }
            }
        }
        await traffic.advance(by: 200)
        await traffic.stop()
        traffic.check()
        for node in [traffic.sender, traffic.target] { await node.adapter.shutdown() }
    }

    @Test("ND-10: a router that dies and comes back: cursors are opened again, nothing is lost")
    func router() async throws {
        let cluster = try BusFaultCluster.sharded.get()
        let stage = try await BusStage.open(cluster.uri)
        let traffic = Traffic(from: try await stage.node(.cursor), to: try await stage.node(.cursor))
        traffic.start()
        await traffic.advance(by: 200)
        try await cluster.fault("restart-router", "0")
        await traffic.advance(by: 200)
        await traffic.stop()
        traffic.check()
        for node in [traffic.sender, traffic.target] { await node.adapter.shutdown() }
    }
}
