import Foundation
import NIOCore
import NIOFoundationCompat
import Routing
import Wire

/// A client in a namespace, on this node (SOCKETIO §11, §12). A handle: cheap to keep, and usable from any thread. What is
/// asked of a client that has left does nothing.
public struct Socket: Sendable, Identifiable {
    /// The public id: the name of the room that only this socket is in.
    public let id: String
    public let namespace: String
    public let domain: String
    /// nil for a guest, where guests may connect.
    public let user: String?
    public let client: String?
    /// nil where the namespace had neither middleware nor a connection handler when the client joined.
    public let handshake: SocketHandshake?
    /// Whether the client has come back as the connection that it had lost, in the rooms that it was in, and with everything
    /// that it has missed (SOCKETIO §14).
    public let recovered: Bool
    let loopSocket: LoopSocket
    let server: LiveServer

    init(_ socket: LiveSocket) {
        self.recovered = (socket as? LiveConnection)?.comeback?.isRecovered ?? false
        let identity = (socket as? LiveConnection)?.identity ?? (socket as? NamespaceSocket)?.identity
        let scope = socket.scope
        self.id = socket.sid
        self.namespace = scope.namespace
        self.domain = scope.domain
        self.user = identity?.user
        self.client = identity?.client
        self.handshake = socket.handshake
        self.loopSocket = LoopSocket(socket)
        self.server = socket.session.loop.server
    }

    // MARK: Rooms

    /// Joins rooms: all of them or, where that would be too many, none. With connection state recovery on, returns once the
    /// rooms are kept for the case that the client comes back; more than 64, or 8 KiB of names, are not, and then the client is
    /// not recoverable any more.
    /// - Throws: ``SocketError/tooManyRooms(limit:)``, ``SocketError/roomNameLength(limit:)``.
    public func join(_ rooms: String...) async throws { try await self.join(rooms) }

    public func join(_ rooms: [String]) async throws {
        let result: Result<Void, RoomTable.JoinRefusal> = await withCheckedContinuation { continuation in
            self.loopSocket.onLoop { socket in
                let loop = socket.session.loop
                do throws(RoomTable.JoinRefusal) {
                    try loop.rooms[socket.scope]?.join(socket, rooms, limits: loop.server.roomLimits)
                } catch {
                    loop.server.metrics.hit(Limit(error))
                    return continuation.resume(returning: .failure(error))
                }
                socket.roomsChanged { continuation.resume(returning: .success(())) }
            }
        }
        do { try result.get() } catch { throw SocketError(error) }
    }

    public func leave(_ rooms: String...) async {
        await withCheckedContinuation { continuation in
            self.loopSocket.onLoop { socket in
                let table = socket.session.loop.rooms[socket.scope]
                for room in rooms { table?.leave(socket, room) }
                socket.roomsChanged { continuation.resume() }
            }
        }
    }

    /// Its own room, and those that it has joined; none once it has left the namespace.
    public var rooms: [String] {
        get async {
            await self.loopSocket.ask { socket in socket.seat < 0 ? [] : [socket.sid] + socket.rooms.map(\.name) }
        }
    }

    /// Whether the client is still in the namespace.
    public var isConnected: Bool {
        get async { await self.loopSocket.ask { $0.seat >= 0 } }
    }

    /// All other sockets of the namespace, on all nodes.
    public var broadcast: Broadcast {
        Broadcast(server: self.server, domain: self.domain, self.namespace).except(self.id)
    }

    /// All other sockets that are in one of the rooms, on all nodes.
    public func to(_ rooms: String...) -> Broadcast { self.broadcast.to(rooms) }

    // MARK: Events

    /// Sends an event to this client alone.
    /// - Parameter arguments: `[UInt8]` and `Data` go as binary, everything else as JSON.
    /// - Throws: ``StationError`` for an event that cannot be sent, or `EncodingError`.
    public func emit(_ event: String, _ arguments: any Encodable...) throws {
        try self.emit(event, arguments: arguments)
    }

    /// The same with arguments that are in an array already.
    public func emit(_ event: String, arguments: [any Encodable]) throws { try self.emit(event, arguments, .required) }

    /// The same, dropped where the client cannot take it right now.
    public func emitVolatile(_ event: String, _ arguments: any Encodable...) throws {
        try self.emit(event, arguments, .volatile)
    }

    /// The same, but a newer event of the same key replaces one that still waits: for state of which only the latest counts.
    public func emitLatest(_ key: String, _ event: String, _ arguments: any Encodable...) throws {
        try self.emit(event, arguments, .latest(key: key))
    }

    private func emit(_ event: String, _ arguments: [any Encodable], _ delivery: Delivery) throws {
        self.send(try self.server.packet(event, arguments, namespace: self.namespace), delivery)
    }

    /// With connection state recovery on, what has to arrive goes the way of all sends, by the log: the client may be away.
    /// What does not go by the log keeps its place behind that.
    func send(_ packet: OutboundPacket, _ delivery: Delivery) {
        if self.server.recovery != nil, delivery == .required, self.namespace == "/", let user = self.user,
            let socket = SocketID(self.id), let node = self.server.currentNode
        {
            let key = RouteKey(domain: self.domain, user: user)
            return node.dispatcher.send(packet, to: key, client: self.client, socket: socket) { _ in }
        }
        self.inOrder { $0.whileJoined { $0.session.send(packet, delivery) } }
    }

    /// Runs `body` behind what was sent to the client before and still waits for the log: at once where nothing does.
    func inOrder(_ body: @escaping @Sendable (LoopSocket) -> Void) {
        let socket = self.loopSocket
        guard self.server.recovery != nil, self.namespace == "/", let user = self.user,
            let node = self.server.currentNode
        else { return body(socket) }
        let key = RouteKey(domain: self.domain, user: user)
        node.rooms.inOrder(RoomScope(domain: self.domain, namespace: self.namespace)) {
            node.dispatcher.follow(key) { body(socket) }
        }
    }

    /// Sends an event and waits for the client's acknowledgement.
    /// - Parameter timeout: how long. Default 5 s.
    /// - Throws: ``SocketError``: timed out, disconnected, too many outstanding.
    public func emitWithAck(
        _ event: String, _ arguments: any Encodable..., timeout: Duration = .seconds(5)
    ) async throws -> AckResponse {
        try await self.emitWithAck(event, arguments: arguments, timeout: timeout)
    }

    /// The same with arguments that are in an array already.
    public func emitWithAck(
        _ event: String, arguments: [any Encodable], timeout: Duration = .seconds(5)
    ) async throws -> AckResponse {
        let id = self.server.ackIDs.next()
        let packet = try self.server.packet(event, arguments, namespace: self.namespace)
            .numbered(id, namespace: self.namespace)
        let answer: AckAnswer = await withCheckedContinuation { continuation in
            self.inOrder {
                $0.onLoop { socket in
                    guard socket.seat >= 0 else { return continuation.resume(returning: .none(.disconnected)) }
                    let deadline = NIODeadline.now() + .milliseconds(timeout.milliseconds)
                    socket.emit(SharedPacket(packet), ackID: id, until: deadline) { continuation.resume(returning: $0) }
                }
            }
        }
        switch answer {
        case .arguments(let item): return AckResponse(item)
        case .timedOut: throw SocketError.timedOut
        case .none(.disconnected): throw SocketError.disconnected
        case .none(.tooManyOutstanding): throw SocketError.tooManyAcknowledgements
        }
    }

    /// Disconnects the client from the namespace; it does not come back by itself.
    /// - Parameter close: from all namespaces, and ends its connection.
    public func disconnect(close: Bool = false) {
        self.inOrder { $0.whileJoined { $0.disconnect(closes: close) } }
    }

    // MARK: Data

    /// Keeps a value with the socket, in place of an earlier one; `fetchSockets` shows it to all nodes.
    /// - Throws: `EncodingError`; ``SocketError/dataTooLarge(limit:)`` above 64 KiB of JSON.
    public func setData(_ value: any Encodable) async throws {
        let json = ByteBuffer(bytes: try EventEncoding.json(value))
        guard json.readableBytes <= SocketDescription.maximumData else {
            throw SocketError.dataTooLarge(limit: SocketDescription.maximumData)
        }
        await self.loopSocket.ask { $0.data = json }
    }

    /// What ``setData(_:)`` has kept; nil where there is nothing.
    /// - Throws: `DecodingError` where it has another form.
    public func data<Value: Decodable & Sendable>(as type: Value.Type = Value.self) async throws -> Value? {
        guard let json = await self.loopSocket.ask({ $0.data }) else { return nil }
        return try JSONCoding.decoder().decode(type, from: Data(buffer: json))
    }
}

/// How a client left a namespace.
public struct Disconnection: Sendable, Equatable {
    /// The words of Socket.IO: `transport close`, `client namespace disconnect`, … (SOCKETIO §8.2).
    public let reason: String
    /// The rooms that it was in.
    public let rooms: [String]
}

/// Why a socket could not do what was asked.
public enum SocketError: Error, Sendable, Equatable {
    /// The client did not acknowledge in time.
    case timedOut
    /// The client left before it acknowledged.
    case disconnected
    /// 1,024 acknowledgements of this client are outstanding (SOCKETIO §18).
    case tooManyAcknowledgements
    case tooManyRooms(limit: Int)
    /// Bytes of UTF-8, at least 1.
    case roomNameLength(limit: Int)
    case dataTooLarge(limit: Int)
    /// 10,000 requests to all nodes are under way.
    case tooManyRequests

    init(_ refusal: RoomTable.JoinRefusal) {
        switch refusal {
        case .tooManyRooms(let limit): self = .tooManyRooms(limit: limit)
        case .nameLength(let limit): self = .roomNameLength(limit: limit)
        }
    }
}
