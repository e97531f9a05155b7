import NIOCore
import Wire

/// The first request of a client, and what it said when it joined the namespace (SOCKETIO §11).
public struct SocketHandshake: Sendable {
    public let namespace: String
    public let domain: String
    /// nil for a guest, where guests may connect.
    public let user: String?
    public let client: String?
    /// What the client sent as `auth`; an empty object where it sent nothing.
    public let auth: JSONValue
    /// Names in lower case; of a repeated field all values, joined by commas.
    public let headers: [String: String]
    /// The query of the request; of a repeated name the last value.
    public let query: [String: String]
    /// Path and query.
    public let url: String
    /// The client's address: not the proxy's, where that is trusted (SPEC TR-2).
    public let address: String
    /// Whether the client's connection was encrypted.
    public let isSecure: Bool
    /// Whether a page of another origin made the request.
    public let isCrossDomain: Bool
    /// Milliseconds since 1970.
    public let time: Int64

    init(_ handshake: Handshake, namespace: String, identity: ConnectionIdentity?, auth: JSONValue) {
        self.namespace = namespace
        self.domain = handshake.domain
        self.user = identity?.user
        self.client = identity?.client
        self.auth = auth
        self.headers = handshake.headers.all
        self.url = handshake.target
        self.address = handshake.source.address
        self.isSecure = handshake.source.isSecure
        self.isCrossDomain = handshake.origin == .foreign
        self.time = handshake.time
        var query: [String: String] = [:]
        if let mark = handshake.target.firstIndex(of: "?") {
            var text = String(handshake.target[handshake.target.index(after: mark)...])
            text.withUTF8 { bytes in
                // A malformed query was refused before there was a session.
                _ = EngineQuery.forEach(UnsafeRawBufferPointer(bytes)) { query[$0] = $1 }
            }
        }
        self.query = query
    }
}

extension JSONValue {
    /// A CONNECT payload. It is valid JSON by now, but may be more than this service parses itself (SPEC WS-3): then it is as if
    /// nothing had been sent.
    init(auth: ByteBuffer) {
        guard auth.readableBytes > 0, let value = try? JSONValue(text: auth) else {
            self = .object([:])
            return
        }
        self = value
    }
}
