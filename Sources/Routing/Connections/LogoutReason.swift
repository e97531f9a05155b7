/// Why the service ends a connection (SPEC WS-0).
package enum LogoutReason: String, Sendable, CaseIterable {
    case logout, kick, expired, session, drain, superseded, node

    /// Whether the client is to come back by itself: then only the transport is closed, without DISCONNECT.
    package var reconnects: Bool {
        switch self {
        case .logout, .kick, .expired, .session: false
        case .drain, .superseded, .node: true
        }
    }
}
