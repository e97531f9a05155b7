/// Finds out who a socket belongs to, by the cookies of its handshake, or the token, and the proof in its CONNECT payload.
typealias SocketIdentifier = @Sendable (Handshake, ConnectAuth) async -> SocketFinding

/// The application's liveConnection hook, for connections that have come live.
struct LiveConnectionHook: Sendable {
    /// Whether there is anything to run in that domain: where there is not, a connection costs nothing.
    let isWanted: @Sendable (_ domain: String) -> Bool
    let run: @Sendable (Handshake, ConnectionIdentity, Socket) async -> Void
}

/// Who a socket belongs to.
enum SocketFinding: Sendable {
    case known(ConnectionIdentity)
    /// No usable session (SPEC ID-18).
    case guest
    /// User and client are known, but not logged in.
    case idle
    /// It named somebody by a token that is not taken: nobody's connection, wherever guests may connect.
    case refused
    /// From a foreign origin (SPEC ID-18).
    case foreign
    /// The sessions cannot be read now.
    case unavailable
}
