import Wire

/// What a client asks with before it has a session: for an ``Station/allowRequest(_:)`` hook to judge.
public struct HandshakeRequest: Sendable {
    /// The canonical domain (SPEC TR-1).
    public let domain: String
    /// The client's address, behind trusted proxies (SPEC TR-2).
    public let address: String
    /// Whether the client's connection is encrypted.
    public let isSecure: Bool
    public let transport: TransportOptions.Transport
    private let headers: HeaderList
    private let query: String

    init(_ handshake: Handshake, transport: TransportOptions.Transport, query: String) {
        self.domain = handshake.domain
        self.address = handshake.source.address
        self.isSecure = handshake.source.isSecure
        self.transport = transport
        self.headers = handshake.headers
        self.query = query
    }

    /// Every value of a header field, in any case, as it came.
    public func header(_ name: String) -> [String] { self.headers.values(name.lowercased()) }

    /// The value of a query parameter, decoded; the last one where it occurs twice. nil where it is absent.
    public func query(_ name: String) -> String? {
        var found: String?
        var query = self.query
        query.withUTF8 { bytes in
            // What is malformed was refused before.
            _ = EngineQuery.forEach(UnsafeRawBufferPointer(bytes)) { key, value in if key == name { found = value } }
        }
        return found
    }
}

/// What an ``Station/allowRequest(_:)`` hook says.
public enum HandshakeVerdict: Sendable, Equatable {
    case allow
    /// Code 4 with this text: 403 on plain HTTP, 400 on an upgrade (SOCKETIO §2.4).
    case refuse(String)

    public static var refuse: HandshakeVerdict { .refuse("Forbidden") }
}

public typealias AllowRequestHook = @Sendable (HandshakeRequest) async throws -> HandshakeVerdict
