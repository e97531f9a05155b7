/// Thrown by middleware to refuse a client (SOCKETIO §11.5): the client's `connect_error` event gets `message`, and `data`
/// where there is some. It does not come back by itself.
public struct ConnectError: Error, Sendable, Equatable {
    public let message: String
    public let data: JSONValue?

    public init(_ message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}

/// Decides whether a client may join a namespace; throws ``ConnectError`` to refuse it. Anything else that it throws is logged,
/// and refuses the client without details. It has the time of a connect (``LiveOptions/pendingConnectTimeout``).
public typealias NamespaceMiddleware = @Sendable (SocketHandshake) async throws -> Void
