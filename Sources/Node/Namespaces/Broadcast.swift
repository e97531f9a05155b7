import NIOCore
import Routing
import Wire

/// Sockets of a namespace, on all nodes, and what can be done with them (SOCKETIO §12, §13). A value: each call returns a
/// narrower one, and nothing happens before ``emit(_:_:)`` or another verb.
///
/// ```swift
/// try chat.to("lobby").except("muted").emit("message", text)
/// let replies = try await chat.to("lobby").timeout(.seconds(2)).emitWithAck("ready?")
/// ```
public struct Broadcast: Sendable {
    private let source: Source
    private let domain: String?
    private let namespace: String
    private var target = RoomTarget()
    private var delivery = Delivery.required
    private var isLocal = false
    private var patience = Duration.seconds(5)

    /// Where the running station is found.
    private enum Source: Sendable {
        case station(Station)
        case server(LiveServer)
    }

    init(station: Station, domain: String?, _ namespace: String) {
        self.source = .station(station)
        self.domain = domain
        self.namespace = namespace
    }

    init(server: LiveServer, domain: String, _ namespace: String) {
        self.source = .server(server)
        self.domain = domain
        self.namespace = namespace
    }

    // MARK: Whom

    /// Sockets that are in one of the rooms; named repeatedly, the rooms add up. The id of a socket is the room that only it
    /// is in.
    public func to(_ rooms: String...) -> Broadcast { self.to(rooms) }

    public func to(_ rooms: [String]) -> Broadcast {
        var copy = self
        copy.target.rooms += rooms
        return copy
    }

    /// The same as ``to(_:)-(String...)``.
    public func `in`(_ rooms: String...) -> Broadcast { self.to(rooms) }

    /// Not those that are in one of these rooms.
    public func except(_ rooms: String...) -> Broadcast {
        var copy = self
        copy.target.except += rooms
        return copy
    }

    /// Only sockets of this node.
    public var local: Broadcast {
        var copy = self
        copy.isLocal = true
        return copy
    }

    // MARK: How

    /// Events are dropped for sockets that cannot take them right now.
    public var volatile: Broadcast {
        var copy = self
        copy.delivery = .volatile
        return copy
    }

    /// For a socket that cannot take an event right now, a newer one of the same key replaces it.
    public func latest(_ key: String) -> Broadcast {
        var copy = self
        copy.delivery = .latest(key: key)
        return copy
    }

    /// How long acknowledgements and answers of other nodes are waited for. Default 5 s.
    public func timeout(_ timeout: Duration) -> Broadcast {
        var copy = self
        copy.patience = timeout
        return copy
    }

    // MARK: Events

    /// Sends an event. Events of one caller arrive in the order of the calls.
    /// - Parameter arguments: `[UInt8]` and `Data` go as binary, everything else as JSON.
    /// - Throws: ``StationError``, or `EncodingError` of an argument.
    public func emit(_ event: String, _ arguments: any Encodable...) throws {
        try self.emit(event, arguments: arguments)
    }

    /// The same with arguments that are in an array already.
    public func emit(_ event: String, arguments: [any Encodable]) throws {
        let (dispatcher, scope, server) = try self.resolve()
        let packet = try server.packet(event, arguments, namespace: self.namespace)
        dispatcher.emit(packet, to: self.target, in: scope, delivery: self.delivery, isLocal: self.isLocal)
    }

    /// The same, and waits until every node's inbox has it.
    public func emitWithReceipt(_ event: String, _ arguments: any Encodable...) async throws -> BroadcastReceipt {
        try await self.emitWithReceipt(event, arguments: arguments)
    }

    public func emitWithReceipt(_ event: String, arguments: [any Encodable]) async throws -> BroadcastReceipt {
        let (dispatcher, scope, server) = try self.resolve()
        let packet = try server.packet(event, arguments, namespace: self.namespace)
        let receipt = await withCheckedContinuation { continuation in
            dispatcher.emit(
                packet, to: self.target, in: scope, delivery: self.delivery, isLocal: self.isLocal
            ) { continuation.resume(returning: $0) }
        }
        return BroadcastReceipt(receipt)
    }

    /// Sends an event and gathers the acknowledgements of all sockets, as far as they come in time.
    public func emitWithAck(_ event: String, _ arguments: any Encodable...) async throws -> BroadcastReplies {
        try await self.emitWithAck(event, arguments: arguments)
    }

    public func emitWithAck(_ event: String, arguments: [any Encodable]) async throws -> BroadcastReplies {
        let (dispatcher, scope, server) = try self.resolve()
        let packet = try server.packet(event, arguments, namespace: self.namespace)
        do {
            let replies = try await dispatcher.emitWithAck(
                packet, to: self.target, in: scope, timeout: self.patience, isLocal: self.isLocal)
            return BroadcastReplies(replies, names: server.nodeNames)
        } catch {
            throw SocketError.tooManyRequests
        }
    }

    // MARK: Sockets

    /// All sockets of the target, from all nodes that answer in time.
    public func fetchSockets() async throws -> FetchedSockets {
        let (dispatcher, scope, server) = try self.resolve()
        let replies: ClusterReplies
        do {
            replies = try await dispatcher.fetch(
                self.target, in: scope, timeout: self.patience, isLocal: self.isLocal)
        } catch {
            throw SocketError.tooManyRequests
        }
        return try FetchedSockets(replies, in: self.wholeNamespace, names: server.nodeNames)
    }

    /// Lets the sockets join rooms. One-way: it has begun everywhere when this returns, and nobody confirms it.
    public func socketsJoin(_ rooms: String...) throws { try self.socketsJoin(rooms) }

    func socketsJoin(_ rooms: [String]) throws {
        let (dispatcher, scope, _) = try self.resolve()
        dispatcher.join(rooms, self.target, in: scope, isLocal: self.isLocal)
    }

    public func socketsLeave(_ rooms: String...) throws { try self.socketsLeave(rooms) }

    func socketsLeave(_ rooms: [String]) throws {
        let (dispatcher, scope, _) = try self.resolve()
        dispatcher.leave(rooms, self.target, in: scope, isLocal: self.isLocal)
    }

    /// Disconnects the sockets from the namespace.
    /// - Parameter close: from all namespaces, and ends their connections.
    public func disconnectSockets(close: Bool = false) throws {
        let (dispatcher, scope, _) = try self.resolve()
        dispatcher.disconnect(self.target, closes: close, in: scope, isLocal: self.isLocal)
    }

    // MARK: Nodes

    /// Sends an event to the handlers of all *other* nodes (``NamespaceRegistering/on(serverSide:_:)``).
    public func serverSideEmit(_ event: String, _ arguments: any Encodable...) throws {
        let (dispatcher, scope, _) = try self.resolve()
        dispatcher.emitServerSide(event, try EventEncoding.array(arguments), in: scope)
    }

    /// The same, and gathers one answer of each node.
    public func serverSideEmitWithAck(_ event: String, _ arguments: any Encodable...) async throws -> BroadcastReplies {
        let (dispatcher, scope, server) = try self.resolve()
        let json = try EventEncoding.array(arguments)
        do {
            let replies = try await dispatcher.emitServerSideWithAck(event, json, in: scope, timeout: self.patience)
            return BroadcastReplies(replies, names: server.nodeNames)
        } catch {
            throw SocketError.tooManyRequests
        }
    }

    private var wholeNamespace: Broadcast {
        var copy = self
        copy.target = RoomTarget()
        copy.delivery = .required
        copy.isLocal = false
        return copy
    }

    private func resolve() throws(StationError) -> (RoomDispatcher, RoomScope, LiveServer) {
        guard self.target.rooms.count <= RoomTarget.maximumRooms, self.target.except.count <= RoomTarget.maximumRooms
        else { throw .invalidEvent("more than \(RoomTarget.maximumRooms) rooms") }
        let server: LiveServer
        let domain: String
        switch self.source {
        case .server(let running):
            server = running
            domain = self.domain ?? ""
        case .station(let station):
            let running = try station.current()
            server = running.live
            domain = try running.domain(self.domain)
        }
        guard let node = server.currentNode else { throw .unavailable("this node has no lease at the moment") }
        return (node.rooms, RoomScope(domain: domain, namespace: self.namespace), server)
    }
}
