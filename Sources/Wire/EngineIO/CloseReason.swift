/// Why a session, or one namespace of it, ended (SOCKETIO §8.2).
package enum CloseReason: UInt8, CaseIterable, Sendable {
    case pingTimeout
    case transportClose
    case transportError
    case parseError
    case forcedClose
    case forcedServerClose
    case serverShuttingDown
    case clientNamespaceDisconnect
    case serverNamespaceDisconnect
    /// More unsent bytes than SPEC EV-4 allows. Ours: the reference server has no such limit.
    case slowConsumer
    /// More messages than SOCKETIO §18 allows. Ours as well.
    case rateLimited

    /// What the application is told; the reference server's words where it has the case.
    package var text: String {
        switch self {
        case .pingTimeout: "ping timeout"
        case .transportClose: "transport close"
        case .transportError: "transport error"
        case .parseError: "parse error"
        case .forcedClose: "forced close"
        case .forcedServerClose: "forced server close"
        case .serverShuttingDown: "server shutting down"
        case .clientNamespaceDisconnect: "client namespace disconnect"
        case .serverNamespaceDisconnect: "server namespace disconnect"
        case .slowConsumer: "slow consumer"
        case .rateLimited: "rate limited"
        }
    }

    /// Whether the connection may be recovered by the client's return (SOCKETIO §14.2).
    package var isRecoverable: Bool {
        switch self {
        case .pingTimeout, .transportClose, .transportError, .forcedClose, .forcedServerClose, .serverShuttingDown: true
        case .parseError, .clientNamespaceDisconnect, .serverNamespaceDisconnect, .slowConsumer, .rateLimited: false
        }
    }

    /// The code of the close frame, where the transport is a WebSocket that still works.
    package var webSocketCode: WebSocketCloseCode {
        switch self {
        case .serverShuttingDown: .goingAway
        case .pingTimeout, .transportClose, .transportError, .parseError, .forcedClose, .forcedServerClose,
            .clientNamespaceDisconnect, .serverNamespaceDisconnect, .slowConsumer, .rateLimited:
            .normal
        }
    }
}
