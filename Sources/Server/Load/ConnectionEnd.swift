/// Why a client's connection is no more, or never was.
enum ConnectionEnd: Equatable, Sendable {
    /// By us, at the end of the run.
    case finished
    /// By us, as a network does it.
    case cut
    case tcpRefused
    case upgradeRefused(status: Int)
    /// The server's CONNECT_ERROR.
    case connectRefused(String)
    case connectTimeout
    /// No heartbeat for the server's interval and timeout together.
    case silent
    /// Engine.IO's close packet.
    case sessionClosed
    case namespaceDisconnected
    case webSocketClosed(UInt16?)
    case reset
    /// The server broke the protocol.
    case violation(String)

    var text: String {
        switch self {
        case .finished: "finished"
        case .cut: "cut"
        case .tcpRefused: "TCP connection refused"
        case .upgradeRefused(let status): "upgrade answered with \(status)"
        case .connectRefused(let message): "CONNECT refused: \(message)"
        case .connectTimeout: "no answer in time"
        case .silent: "no heartbeat in time"
        case .sessionClosed: "closed by the server (Engine.IO)"
        case .namespaceDisconnected: "disconnected by the server (Socket.IO)"
        case .webSocketClosed(let code): "closed by the server (WebSocket\(code.map { " \($0)" } ?? ""))"
        case .reset: "TCP connection closed"
        case .violation(let what): "protocol violation: \(what)"
        }
    }
}
