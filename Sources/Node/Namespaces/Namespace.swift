/// A namespace of the application's (SOCKETIO §11): register its handlers before the station runs, then send to its sockets.
///
/// ```swift
/// let chat = station.namespace("/chat")
/// chat.use { guard $0.auth["invitation"]?.string == "yes" else { throw ConnectError("not invited") } }
/// chat.on(.connection) { socket in try await socket.join("lobby") }
/// chat.on(event: "say") { event in try event.socket.to("lobby").emit("said", try event.argument(0, as: String.self)) }
/// ```
public struct Namespace: Sendable {
    public let name: String
    private let station: Station
    private let domain: String?

    init(_ name: String, _ station: Station, domain: String? = nil) {
        self.name = name
        self.station = station
        self.domain = domain
    }

    /// The same namespace of one domain; needed for sending where there are several.
    public func domain(_ domain: String) -> Namespace { Namespace(self.name, self.station, domain: domain) }

    // MARK: Registering

    /// Adds middleware: all of it runs, in the order of registration, before a client is let in.
    public func use(_ middleware: @escaping NamespaceMiddleware) {
        self.station.registerNamespace(self.name) { $0.middleware.append(middleware) }
    }

    /// Registers a handler for clients that have joined. Handlers of one client run one after the other.
    public func on(_ hook: SocketHook, _ handler: @escaping @Sendable (Socket) async throws -> Void) {
        self.station.registerNamespace(self.name) { $0.connection.append(handler) }
    }

    /// Registers a handler for clients that have left, behind everything else of theirs.
    public func on(
        _ hook: DisconnectHook, _ handler: @escaping @Sendable (Socket, Disconnection) async throws -> Void
    ) {
        self.station.registerNamespace(self.name) { $0.disconnection.append(handler) }
    }

    /// Registers the handler of an event that clients send; the last one of a name counts.
    public func on(event name: String, _ handler: @escaping @Sendable (SocketEvent) async throws -> Void) {
        let body = self.station.loopHandler(handler)
        self.station.registerNamespace(self.name) { $0.events.set(name, body) }
    }

    /// Registers the handler of an event that other nodes send (``Broadcast/serverSideEmit(_:_:)``).
    public func on(serverSide name: String, _ handler: @escaping @Sendable (ServerSideEvent) async throws -> Void) {
        self.station.registerNamespace(self.name) { $0.serverSide[name] = handler }
    }

    // MARK: Sending

    /// All sockets of the namespace.
    public var sockets: Broadcast { Broadcast(station: self.station, domain: self.domain, self.name) }

    /// Sockets that are in one of the rooms.
    public func to(_ rooms: String...) -> Broadcast { self.sockets.to(rooms) }

    /// The same as ``to(_:)``.
    public func `in`(_ rooms: String...) -> Broadcast { self.sockets.to(rooms) }

    /// Sends an event to all sockets of the namespace, on all nodes.
    public func emit(_ event: String, _ arguments: any Encodable...) throws {
        try self.sockets.emit(event, arguments: arguments)
    }
}

/// The hook of ``Namespace/on(_:_:)-(SocketHook,_)``.
public struct SocketHook: Sendable {
    public static let connection = SocketHook()
}

/// The hook of ``Namespace/on(_:_:)-(DisconnectHook,_)``.
public struct DisconnectHook: Sendable {
    public static let disconnect = DisconnectHook()
}

/// Namespaces whose names clients choose, as far as the application lets them (SOCKETIO §11.4): handlers are registered once
/// for all of them. To send to one, name it: ``Station/namespace(_:)``.
public struct DynamicNamespace: Sendable {
    private let station: Station
    private let index: Int

    init(_ station: Station, index: Int) {
        self.station = station
        self.index = index
    }

    public func use(_ middleware: @escaping NamespaceMiddleware) {
        self.station.registerPattern(self.index) { $0.middleware.append(middleware) }
    }

    public func on(_ hook: SocketHook, _ handler: @escaping @Sendable (Socket) async throws -> Void) {
        self.station.registerPattern(self.index) { $0.connection.append(handler) }
    }

    public func on(
        _ hook: DisconnectHook, _ handler: @escaping @Sendable (Socket, Disconnection) async throws -> Void
    ) {
        self.station.registerPattern(self.index) { $0.disconnection.append(handler) }
    }

    public func on(event name: String, _ handler: @escaping @Sendable (SocketEvent) async throws -> Void) {
        let body = self.station.loopHandler(handler)
        self.station.registerPattern(self.index) { $0.events.set(name, body) }
    }

    public func on(serverSide name: String, _ handler: @escaping @Sendable (ServerSideEvent) async throws -> Void) {
        self.station.registerPattern(self.index) { $0.serverSide[name] = handler }
    }
}
