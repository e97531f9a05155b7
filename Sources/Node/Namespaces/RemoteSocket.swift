/// A socket on any node, as it was when it was fetched (SOCKETIO §13).
public struct RemoteSocket: Sendable, Identifiable {
    public let id: String
    public let user: String?
    public let client: String?
    /// Its own room, and those that it had joined.
    public let rooms: [String]
    /// What ``Socket/setData(_:)`` had kept with it; nil where there was nothing.
    public let data: JSONValue?
    /// The client's address (SPEC TR-2).
    public let address: String
    public let userAgent: String?
    private let own: Broadcast

    init(_ description: SocketDescription, in namespace: Broadcast) {
        self.id = description.id
        self.user = description.user
        self.client = description.client
        self.rooms = description.rooms
        self.data = description.data
        self.address = description.address
        self.userAgent = description.userAgent
        self.own = namespace.to(description.id)
    }

    public func emit(_ event: String, _ arguments: any Encodable...) throws {
        try self.own.emit(event, arguments: arguments)
    }

    /// - Throws: ``SocketError/timedOut`` and others, as ``Socket/emitWithAck(_:_:timeout:)``.
    public func emitWithAck(
        _ event: String, _ arguments: any Encodable..., timeout: Duration = .seconds(5)
    ) async throws -> AckResponse {
        let replies = try await self.own.timeout(timeout).emitWithAck(event, arguments: arguments)
        if let response = replies.responses.first { return response }
        throw replies.isTimedOut ? SocketError.timedOut : SocketError.disconnected
    }

    public func join(_ rooms: String...) throws { try self.own.socketsJoin(rooms) }

    public func leave(_ rooms: String...) throws { try self.own.socketsLeave(rooms) }

    public func disconnect(close: Bool = false) throws { try self.own.disconnectSockets(close: close) }
}
