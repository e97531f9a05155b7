/// What handlers can be registered for, before the station runs: one namespace, or all that clients make by a pattern.
public protocol NamespaceRegistering: Sendable {
    /// Where the handlers go.
    var registrar: NamespaceRegistrar { get }
}

/// Keeps the handlers of a namespace until the station runs. Made by ``Namespace`` and ``DynamicNamespace`` only.
public struct NamespaceRegistrar: Sendable {
    let station: Station
    let register: @Sendable ((inout NamespaceApplication) -> Void) -> Void

    init(_ station: Station, _ register: @escaping @Sendable ((inout NamespaceApplication) -> Void) -> Void) {
        self.station = station
        self.register = register
    }
}

extension NamespaceRegistering {
    /// Adds middleware: all of it runs, in the order of registration, before a client is let in.
    public func use(_ middleware: @escaping NamespaceMiddleware) {
        self.registrar.register { $0.middleware.append(middleware) }
    }

    /// Registers a handler for clients that have joined. Handlers of one client run one after the other.
    public func on(_ hook: SocketHook, _ handler: @escaping @Sendable (Socket) async throws -> Void) {
        self.registrar.register { $0.connection.append(handler) }
    }

    /// Registers a handler for clients that have left, behind everything else of theirs.
    public func on(
        _ hook: DisconnectHook, _ handler: @escaping @Sendable (Socket, Disconnection) async throws -> Void
    ) {
        self.registrar.register { $0.disconnection.append(handler) }
    }

    /// Registers the handler of an event that clients send; the last one of a name counts.
    public func on(event name: String, _ handler: @escaping @Sendable (SocketEvent) async throws -> Void) {
        let body = self.registrar.station.loopHandler(handler)
        self.registrar.register { $0.events.set(name, body) }
    }

    /// Registers the handler of an event that other nodes send (``Broadcast/serverSideEmit(_:_:)``).
    public func on(serverSide name: String, _ handler: @escaping @Sendable (ServerSideEvent) async throws -> Void) {
        self.registrar.register { $0.serverSide[name] = handler }
    }
}

/// The hook of ``NamespaceRegistering/on(_:_:)-(SocketHook,_)``.
public struct SocketHook: Sendable {
    public static let connection = SocketHook()
}

/// The hook of ``NamespaceRegistering/on(_:_:)-(DisconnectHook,_)``.
public struct DisconnectHook: Sendable {
    public static let disconnect = DisconnectHook()
}
