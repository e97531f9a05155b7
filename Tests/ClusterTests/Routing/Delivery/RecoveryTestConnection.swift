import NIOCore
import Routing
import Synchronization
import Wire

/// One connection of a client to one node.
struct RecoveryTestConnection: Sendable {
    let node: RecoveryTestNode
    let prepared: SocketID
    let pid: PrivateIDHash
    let socket: SocketID
    let member: NIOLoopBound<RecoveryTestMember>
    let isRecovered: Bool
}

extension RecoveryTestCluster {
    /// CONNECT, with the private ID of an earlier connection or without.
    func connect(
        _ client: RecoveryTestClient, to node: RecoveryTestNode, after old: RecoveryTestConnection? = nil
    ) async throws -> RecoveryTestConnection {
        let prepared = SocketID.random(on: node.id)
        let loop = node.loop
        let member = try await loop.submit {
            let member = RecoveryTestMember(prepared, client: client, table: node.table.value)
            member.roomTables = node.roomTables.value
            _ = node.table.value.join(member, key: self.alice, client: "phone")
            return NIOLoopBound(member, eventLoop: loop)
        }.get()
        let fresh = PrivateIDHash(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max))
        let entry = RouteDocument.Connection(
            socket: prepared, node: node.id, client: "phone", endpoint: prepared.text,
            since: RecoveryTestNode.clock.wallTime(),
            recovery: .init(pid: fresh))
        let now = RecoveryTestNode.clock.wallTime() / 1000
        let offset = client.state.withLock { $0.offset }
        let position = offset.map { RecoveryPosition(text: $0, now: now, window: Self.window) } ?? RecoveryPosition()
        guard let old, let position else {
            _ = try await self.commit(.connect(entry), on: node.id)
            return try await self.begin(client, node, member, prepared, fresh)
        }
        guard case .recovered(let recovered) = try await self.commit(.recover(old.pid, entry), on: node.id) else {
            return try await self.begin(client, node, member, prepared, fresh)
        }
        // Before the log is read.
        try await loop.submit { try member.value.enter(as: recovered.socket, recovered.rooms) }.get()
        let query = RecoveryQuery(
            key: self.alice, client: "phone", socket: recovered.socket, position: position, base: recovered.base,
            since: recovered.since, first: recovered.first, rooms: recovered.rooms, now: now)
        guard let history = try? await self.log.read(query, at: recovered.logPlace), history.isComplete else {
            try await loop.submit { member.value.leaveRooms() }.get()
            _ = try await self.commit(.renew(entry), on: node.id)
            return try await self.begin(client, node, member, prepared, fresh)
        }
        let tracking = node.tracking
        try await loop.submit {
            member.value.begin(as: recovered.socket, position: position, history: history, tracking: tracking)
        }.get()
        return RecoveryTestConnection(
            node: node, prepared: prepared, pid: old.pid, socket: recovered.socket, member: member, isRecovered: true)
    }

    private func begin(
        _ client: RecoveryTestClient, _ node: RecoveryTestNode, _ member: NIOLoopBound<RecoveryTestMember>,
        _ prepared: SocketID, _ pid: PrivateIDHash
    ) async throws -> RecoveryTestConnection {
        client.state.withLock { state in
            state.history.append("new")
            state.offset = nil
        }
        try await node.loop.submit { member.value.begin() }.get()
        return RecoveryTestConnection(
            node: node, prepared: prepared, pid: pid, socket: prepared, member: member, isRecovered: false)
    }

    /// The node notices that the connection is gone.
    func leave(_ connection: RecoveryTestConnection) async throws {
        try await self.vanish(connection)
        _ = try await self.commit(.disconnect(connection.prepared, node: connection.node.id), on: connection.node.id)
    }

    /// The first half of leaving: its loop has forgotten the connection, its route has not.
    func vanish(_ connection: RecoveryTestConnection) async throws {
        try await connection.node.loop.submit {
            connection.member.value.leaveRooms()
            _ = connection.node.table.value.leave(connection.member.value)
        }.get()
    }

    /// As `Socket.join` does it: here, then in the route.
    func join(_ connection: RecoveryTestConnection, _ rooms: [String]) async throws {
        let all = try await connection.node.loop.submit { try connection.member.value.join(rooms) }.get()
        _ = try await self.commit(
            .setRooms(all, of: connection.prepared, node: connection.node.id), on: connection.node.id)
    }

    /// Until everything that was sent has arrived wherever it goes.
    func settle() async throws {
        for node in self.nodes { await node.adapter.flush() }
        for node in self.nodes { try await node.loop.submit {}.get() }
        // Deliveries were queued before; this comes after them, and after the drain of their tick.
        for node in self.nodes { try await node.loop.submit {}.get() }
    }
}
