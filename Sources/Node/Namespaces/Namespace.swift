/// A namespace of the application's (SOCKETIO §11): register its handlers before the station runs, then send to its sockets.
///
/// ```swift
/// let chat = station.namespace("/chat")
/// chat.use { guard $0.auth["invitation"]?.string == "yes" else { throw ConnectError("not invited") } }
/// chat.on(.connection) { socket in try await socket.join("lobby") }
/// chat.on(event: "say") { event in try event.socket.to("lobby").emit("said", try event.argument(0, as: String.self)) }
/// ```
public struct Namespace: NamespaceRegistering {
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

    public var registrar: NamespaceRegistrar {
        let (station, name) = (self.station, self.name)
        return NamespaceRegistrar(station) { station.registerNamespace(name, $0) }
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
