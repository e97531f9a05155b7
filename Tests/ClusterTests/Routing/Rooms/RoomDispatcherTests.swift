import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Routing
@testable import Wire

/// SOCKETIO §12, §13 over nodes of one process, joined by the loopback bus.
@Suite struct RoomDispatcherTests {
    private static let scope = RoomScope(domain: "d", namespace: "/chat")
    private static let packet = OutboundPacket(text: ByteBuffer(string: #"2/chat,["e",1]"#))

    /// A node with one loop and some sockets.
    private final class Node: Sendable {
        let id = NodeID.random()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let tables: NIOLoopBound<RoomTables>
        let dispatcher: RoomDispatcher
        let adapter: LoopbackClusterAdapter

        init(hub: LoopbackHub, world: World) async throws {
            let loop = self.group.next()
            self.tables = try await loop.submit { NIOLoopBound(RoomTables(), eventLoop: loop) }.get()
            let inbox = Inbox()
            self.adapter = hub.open(self.id, receiver: inbox)
            let remote = RoomDispatcher.Remote(
                adapter: self.adapter, directory: world, freshNodes: { world.records }, knownNodes: { world.records })
            let name = self.id.text
            self.dispatcher = RoomDispatcher(
                node: self.id, index: RoomIndex(loops: [self.tables]), ackIDs: AckIDs(), remote: remote
            ) { _, event, arguments, answer in
                answer(event == "silent" ? nil : ByteBuffer(string: "\"\(name)\""))
            }
            inbox.set(self.dispatcher)
            world.add(self.id)
        }

        /// Adds sockets, one for each list of rooms.
        func add(_ rooms: [[String]], answering answer: AckAnswer? = nil) async throws -> [NIOLoopBound<RoomTestMember>]
        {
            try await self.group.next().submit {
                try rooms.map { names in
                    let member = RoomTestMember()
                    member.answer = answer
                    self.tables.value.add(member, to: RoomDispatcherTests.scope)
                    try self.tables.value[RoomDispatcherTests.scope]?.join(member, names, limits: RoomTable.Limits())
                    return NIOLoopBound(member, eventLoop: self.group.next())
                }
            }.get()
        }

        func read<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async throws -> Value {
            try await self.group.next().submit(body).get()
        }
    }

    private final class World: NodeDirectory {
        private let state = Mutex<[NodeRecord]>([])
        var records: [NodeRecord] { self.state.withLock { $0 } }

        func add(_ id: NodeID) {
            self.state.withLock {
                $0.append(NodeRecord(id: id, name: nil, address: nil, started: 0, homes: []))
            }
        }

        func remove(_ id: NodeID) { self.state.withLock { $0.removeAll { $0.id == id } } }
        func record(of node: NodeID) -> NodeRecord? { self.records.first { $0.id == node } }
        func resolve(_ node: NodeID) async -> NodeRecord? { nil }
    }

    private final class Inbox: ClusterReceiver {
        private let dispatcher = Mutex<RoomDispatcher?>(nil)
        let failures = Mutex(0)

        func set(_ dispatcher: RoomDispatcher) { self.dispatcher.withLock { $0 = dispatcher } }

        func receive(_ messages: [BusMessage], from sender: NodeID) {
            guard let dispatcher = self.dispatcher.withLock({ $0 }) else { return }
            for message in messages {
                do {
                    if message.kind == .room {
                        try dispatcher.receive(message, from: sender)
                    } else {
                        try dispatcher.receiveReply(message, from: sender)
                    }
                } catch {
                    Issue.record("a message of our own is malformed: \(error)")
                }
            }
        }

        func gap(_ reason: String) {}
    }

    private func withNodes(
        _ count: Int, _ body: @escaping @Sendable ([Node], World) async throws -> Void
    ) async throws {
        let hub = LoopbackHub()
        let world = World()
        var nodes: [Node] = []
        for _ in 0..<count { nodes.append(try await Node(hub: hub, world: world)) }
        let all = nodes
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in all {
                group.addTask { await node.adapter.run() }
                group.addTask { await node.dispatcher.run() }
            }
            do { try await body(all, world) } catch { Issue.record(error) }
            group.cancelAll()
            try await group.waitForAll()
        }
        for node in all { try await node.group.shutdownGracefully() }
    }

    private func emit(
        _ node: Node, _ target: RoomTarget, isLocal: Bool = false, delivery: Delivery = .required
    ) async -> RoomReceipt {
        await withCheckedContinuation { continuation in
            node.dispatcher.emit(
                Self.packet, to: target, in: Self.scope, delivery: delivery, isLocal: isLocal
            ) { continuation.resume(returning: $0) }
        }
    }

    @Test(
        "§13: a broadcast reaches the rooms on all nodes, once; local stays here; other domains and namespaces get nothing"
    )
    func broadcast() async throws {
        try await self.withNodes(3) { nodes, _ in
            let here = try await nodes[0].add([["a"], []])
            let there = try await nodes[1].add([["a", "b"], ["b"]])
            let receipt = await self.emit(nodes[0], RoomTarget(rooms: ["a", "b"]))
            #expect(receipt == RoomReceipt(local: 1, nodes: 2, isComplete: true))
            _ = await self.emit(nodes[0], RoomTarget(rooms: ["a"]), isLocal: true)
            // A request goes the same way, behind: once it is answered, what was sent before has arrived.
            let fetched = try await nodes[0].dispatcher.fetch(RoomTarget(), in: Self.scope, timeout: .seconds(600))
            #expect(fetched.isComplete)
            #expect(fetched.items.count == 4)
            let seen = try await nodes[0].read { here.map(\.value.packets) }
            #expect(seen == [[#"2/chat,["e",1]"#, #"2/chat,["e",1]"#], []])
            let others = try await nodes[1].read { there.map(\.value.packets) }
            #expect(others == [[#"2/chat,["e",1]"#], [#"2/chat,["e",1]"#]])
            let elsewhere = try await nodes[0].dispatcher.fetch(
                RoomTarget(), in: RoomScope(domain: "other", namespace: "/chat"), timeout: .seconds(600))
            #expect(elsewhere.items.isEmpty && elsewhere.isComplete)
        }
    }

    @Test("EV-4: how an event treats slow readers crosses the bus with it")
    func modes() async throws {
        try await self.withNodes(2) { nodes, _ in
            let there = try await nodes[1].add([["a"]])
            let modes: [Delivery] = [.volatile, .latest(key: "k"), .required]
            for mode in modes { _ = await self.emit(nodes[0], RoomTarget(rooms: ["a"]), delivery: mode) }
            _ = try await nodes[0].dispatcher.fetch(RoomTarget(), in: Self.scope, timeout: .seconds(600))
            #expect(try await nodes[1].read { there[0].value.modes } == modes)
        }
    }

    @Test("§12: acknowledgements of all nodes come together, with an id that each node puts into the packet itself")
    func acknowledgements() async throws {
        try await self.withNodes(2) { nodes, _ in
            _ = try await nodes[0].add([["a"]], answering: .text("1"))
            let there = try await nodes[1].add([["a"], ["a"]], answering: .text("2"))
            _ = try await nodes[1].add([["a"]], answering: AckAnswer.none(.disconnected))
            let replies = try await nodes[0].dispatcher.emitWithAck(
                Self.packet, to: RoomTarget(rooms: ["a"]), in: Self.scope, timeout: .seconds(600))
            #expect(replies.isComplete)
            #expect(replies.items.map { String(buffer: $0.text) }.sorted() == ["1", "2", "2"])
            #expect(replies.withoutAnswer == 1)
            #expect(try await nodes[1].read { there[0].value.packets } == [#"2/chat,0["e",1]"#])
        }
    }

    @Test("§13: who does not answer is named, and what has come is there")
    func silence() async throws {
        try await self.withNodes(2) { nodes, world in
            _ = try await nodes[0].add([["a"]], answering: .text("1"))
            _ = try await nodes[1].add([["a"]])
            let replies = try await nodes[0].dispatcher.emitWithAck(
                Self.packet, to: RoomTarget(rooms: ["a"]), in: Self.scope, timeout: .milliseconds(200))
            #expect(replies.items.count == 1)
            #expect(replies.silent == [nodes[1].id])
            // It dies while it is waited for: the others' answers come at once.
            async let late = nodes[0].dispatcher.emitWithAck(
                Self.packet, to: RoomTarget(rooms: ["a"]), in: Self.scope, timeout: .seconds(600))
            while !nodes[0].dispatcher.requests.awaited.contains(nodes[1].id) { await Task.yield() }
            world.remove(nodes[1].id)
            nodes[0].dispatcher.reconcile()
            let partial = try await late
            #expect(partial.items.count == 1)
            #expect(partial.departed == [nodes[1].id])
        }
    }

    @Test("§13: sockets join, leave and are disconnected wherever they are; answers of nodes are gathered")
    func operations() async throws {
        try await self.withNodes(2) { nodes, _ in
            let there = try await nodes[1].add([["a"], []])
            let sender = nodes[0].dispatcher
            func settled() async throws {
                _ = try await sender.fetch(RoomTarget(), in: Self.scope, timeout: .seconds(600))
            }
            sender.join(["x", "y"], RoomTarget(rooms: ["a"]), in: Self.scope)
            sender.leave(["a"], RoomTarget(rooms: ["x"]), in: Self.scope)
            try await settled()
            #expect(try await nodes[1].read { there.map { $0.value.rooms.map(\.name).sorted() } } == [["x", "y"], []])
            sender.disconnect(RoomTarget(except: ["x"]), closes: true, in: Self.scope)
            try await settled()
            #expect(try await nodes[1].read { there.map(\.value.disconnects) } == [[], [true]])
            let names = try await sender.emitServerSideWithAck(
                "hello", ByteBuffer(), in: Self.scope, timeout: .seconds(600))
            #expect(names.items.map { String(buffer: $0.text) } == ["\"\(nodes[1].id.text)\""])
            let none = try await sender.emitServerSideWithAck(
                "silent", ByteBuffer(), in: Self.scope, timeout: .seconds(600))
            #expect(none.items.isEmpty && none.withoutAnswer == 1 && none.isComplete)
        }
    }
}
