import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Routing
@testable import Wire

/// SPEC EV-1, EV-2: where a send goes, and what its receipt says.
@Suite struct EventDispatcherTests {
    /// Other nodes as this one knows them, and what it published to them.
    private final class Cluster: ClusterAdapter, NodeDirectory {
        let records = Mutex<[NodeID: NodeRecord]>([:])
        let published = Mutex<[(NodeID, BusMessage)]>([])
        let failing = Mutex<Set<NodeID>>([])
        let answer = Mutex<@Sendable (NodeID, BusMessage) -> Void>({ _, _ in })
        var health: BusHealth { BusHealth(probeAge: [0], latency: [0], modes: ["test"], gaps: 0) }

        func publish(
            _ message: BusMessage, to target: NodeRecord, completion: @escaping @Sendable (PublishError?) -> Void
        ) {
            self.published.withLock { $0.append((target.id, message)) }
            self.answer.withLock(\.self)(target.id, message)
            completion(self.failing.withLock { $0.contains(target.id) } ? .backlog : nil)
        }

        func flush() async {}
        func shutdown() async {}
        func record(of node: NodeID) -> NodeRecord? { self.records.withLock { $0[node] } }
        func resolve(_ node: NodeID) async -> NodeRecord? { nil }

        func add(_ state: NodeRecord.State = .up) -> NodeID {
            var record = NodeRecord(id: .random(), name: nil, address: nil, started: 0, homes: [])
            record.state = state
            self.records.withLock { $0[record.id] = record }
            return record.id
        }
    }

    private let own = NodeID.random()
    private let alice = RouteKey(domain: "d", user: "alice")

    /// A send that asks the nodes what they have written, which answer with what `answers` has for them.
    private func confirm(
        connections: [(NodeID, String)], on cluster: Cluster, answers: [NodeID: [WrittenDevice]],
        fault: StoreFault? = nil
    ) async throws -> ConfirmedReceipt {
        let loop = NIOAsyncTestingEventLoop()
        let table = try await loop.executeInContext { NIOLoopBound(ConnectionTable(eventLoop: loop), eventLoop: loop) }
        let store = InMemoryRouteStore(fault: fault)
        var document = RouteDocument(key: self.alice)
        document.live = connections.map { node, client in
            .init(socket: .random(on: node), node: node, client: client, endpoint: "e", since: 0)
        }
        document.version = 1
        _ = try await InMemoryRouteStore.seed(store, RouteWrite(old: RouteDocument(key: self.alice), new: document))
        let requests = ClusterRequests()
        cluster.answer.withLock { answer in
            answer = { node, message in
                guard let request = EventConfirmation.request(of: message), let devices = answers[node] else { return }
                requests.report(request, .node(node), expected: devices.count, items: devices.map(\.item))
            }
        }
        let dispatcher = EventDispatcher(
            node: self.own, index: ConnectionIndex(tables: [table]),
            remote: .init(routes: store, adapter: cluster, directory: cluster), requests: requests)
        return try await withThrowingTaskGroup(of: ConfirmedReceipt?.self) { group in
            group.addTask {
                await dispatcher.run()
                return nil
            }
            let alice = self.alice
            group.addTask {
                let packet = OutboundPacket(text: ByteBuffer(string: #"2["e",1]"#))
                // Ends by its answers or, where they do not come, by its time: what is found is the same either way.
                return try await dispatcher.sendConfirmed(packet, to: alice, client: nil, timeout: .milliseconds(200))
            }
            group.addTask {
                while !Task.isCancelled {
                    await loop.run()
                    await Task.yield()
                }
                return nil
            }
            var found: ConfirmedReceipt?
            while found == nil, let next = try await group.next() { found = next }
            group.cancelAll()
            return try #require(found)
        }
    }

    @Test("EV-2: what the nodes have written is added up by device, and who is silent is named")
    func confirmed() async throws {
        let cluster = Cluster()
        let (first, second, third) = (cluster.add(), cluster.add(), cluster.add())
        let connections = [(first, "phone"), (second, "phone"), (second, "laptop")]
        let answers: [NodeID: [WrittenDevice]] = [
            first: [.init(client: "phone", written: 1, pending: 0)],
            second: [.init(client: "phone", written: 2, pending: 1), .init(client: "laptop", written: 0, pending: 1)],
        ]
        let whole = try await self.confirm(connections: connections, on: cluster, answers: answers)
        #expect(whole.isAnswered && whole.receipt == SendReceipt(local: 0, nodes: 2, isComplete: true))
        #expect(whole.devices["phone"] == .init(client: "phone", written: 3, pending: 1))
        #expect(whole.devices["laptop"] == .init(client: "laptop", written: 0, pending: 1))
        #expect(whole.unknown.isEmpty)
        let part = try await self.confirm(
            connections: connections + [(third, "watch")], on: cluster, answers: answers)
        #expect(!part.isAnswered && part.unknown == [third])
        #expect(part.devices == whole.devices)
    }

    @Test("EV-2: nobody there is known at once; an unreadable route, or a node that cannot be found, is unknown")
    func unconfirmed() async throws {
        let cluster = Cluster()
        let nobody = try await self.confirm(connections: [], on: cluster, answers: [:])
        #expect(nobody.isAnswered && nobody.devices.isEmpty && nobody.unknown.isEmpty && nobody.receipt.isComplete)
        let lost = NodeID.random()
        let unresolved = try await self.confirm(connections: [(lost, "c")], on: cluster, answers: [:])
        #expect(!unresolved.isAnswered && unresolved.unknown == [lost])
        let ill = cluster.add()
        cluster.failing.withLock { _ = $0.insert(ill) }
        let unreached = try await self.confirm(connections: [(ill, "c")], on: cluster, answers: [:])
        #expect(!unreached.isAnswered && unreached.unknown == [ill] && !unreached.receipt.isComplete)
        let fault = StoreFault(before: { operation in
            operation == "routes.read" ? StoreError(.unavailable, operation: operation, message: "test") : nil
        })
        let unreadable = try await self.confirm(connections: [(ill, "c")], on: cluster, answers: [:], fault: fault)
        #expect(!unreadable.receipt.isComplete && unreadable.devices.isEmpty)
    }

    private func send(
        connections: [(NodeID, String)], on cluster: Cluster, client: String? = nil, fault: StoreFault? = nil
    ) async throws -> SendReceipt {
        let loop = NIOAsyncTestingEventLoop()
        let table = try await loop.executeInContext { NIOLoopBound(ConnectionTable(eventLoop: loop), eventLoop: loop) }
        let store = InMemoryRouteStore(fault: fault)
        var document = RouteDocument(key: self.alice)
        document.live = connections.map { node, client in
            .init(socket: .random(on: node), node: node, client: client, endpoint: "e", since: 0)
        }
        document.version = 1
        let old = RouteDocument(key: self.alice)
        _ = try await InMemoryRouteStore.seed(store, RouteWrite(old: old, new: document))
        let dispatcher = EventDispatcher(
            node: self.own, index: ConnectionIndex(tables: [table]),
            remote: .init(routes: store, adapter: cluster, directory: cluster))
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { await dispatcher.run() }
            let receipts = AsyncStream<SendReceipt>.makeStream(bufferingPolicy: .bufferingOldest(1))
            let packet = OutboundPacket(text: ByteBuffer(string: #"2["e",1]"#))
            dispatcher.send(packet, to: self.alice, client: client) { receipts.continuation.yield($0) }
            await loop.run()
            var receipt = SendReceipt(local: -1, nodes: -1, isComplete: false)
            for await found in receipts.stream {
                receipt = found
                break
            }
            group.cancelAll()
            return receipt
        }
    }

    @Test("EV-1: one message to each node that has matching connections, none to this one")
    func targets() async throws {
        let cluster = Cluster()
        let (first, second, third) = (cluster.add(), cluster.add(), cluster.add())
        let receipt = try await self.send(
            connections: [
                (first, "phone"), (first, "phone"), (second, "laptop"), (self.own, "phone"), (third, "phone"),
            ],
            on: cluster, client: "phone")
        #expect(receipt == SendReceipt(local: 0, nodes: 2, isComplete: true))
        let published = cluster.published.withLock { $0 }
        #expect(Set(published.map(\.0)) == [first, third])
        #expect(published.count == 2)
        #expect(published.allSatisfy { $0.1.kind == .event && $0.1.key == self.alice.text })
        let payload = try EventPayload.decode(published[0].1.payload)
        #expect(payload.client == "phone")
        #expect(String(buffer: payload.packet) == #"2["e",1]"#)
    }

    @Test("EV-2: connections of a claimed or unknown node do not count")
    func claimed() async throws {
        let cluster = Cluster()
        let dead = cluster.add(.claimed)
        let receipt = try await self.send(connections: [(dead, "c"), (.random(), "c")], on: cluster)
        #expect(receipt == SendReceipt(local: 0, nodes: 0, isComplete: true))
        #expect(receipt.didReceive == false)
        let published = cluster.published.withLock { $0.count }
        #expect(published == 0)
    }

    @Test("ND-7: a node whose inbox cannot be written makes the receipt incomplete")
    func incomplete() async throws {
        let cluster = Cluster()
        let (well, ill) = (cluster.add(), cluster.add())
        cluster.failing.withLock { _ = $0.insert(ill) }
        let receipt = try await self.send(connections: [(well, "c"), (ill, "c")], on: cluster)
        #expect(receipt == SendReceipt(local: 0, nodes: 1, isComplete: false))
    }

    @Test("EV-2: a route that cannot be read makes the receipt incomplete, never a lie")
    func unreadable() async throws {
        let cluster = Cluster()
        let node = cluster.add()
        let fault = StoreFault(before: { operation in
            operation == "routes.read" ? StoreError(.unavailable, operation: operation, message: "test") : nil
        })
        let receipt = try await self.send(connections: [(node, "c")], on: cluster, fault: fault)
        #expect(receipt == SendReceipt(local: 0, nodes: 0, isComplete: false))
    }
}

extension InMemoryRouteStore {
    /// Puts a document there, as another node would have.
    fileprivate static func seed(
        _ store: InMemoryRouteStore, _ write: RouteWrite
    ) async throws(StoreError) -> [RouteWriteOutcome] {
        try await store.write([write], shard: store.shard(of: write.new.key))
    }
}
