import Routing
import Wire

/// How a connection leaves, as far as it tells whether its client may be back in a moment (SPEC LC-8).
enum Leaving: Sendable, Equatable {
    /// By itself, or its transport did: a page that is reloaded looks like that.
    case lost
    /// The service has sent it away to come back: it was on a node that drains, or was refused for the moment.
    case moving
    /// The service or the application has cut it off: it is not expected back.
    case cut

    init(_ reason: CloseReason) {
        switch reason {
        case .forcedServerClose, .serverNamespaceDisconnect: self = .cut
        case .serverShuttingDown: self = .moving
        case .pingTimeout, .transportClose, .transportError, .parseError, .forcedClose, .clientNamespaceDisconnect,
            .slowConsumer, .rateLimited:
            self = .lost
        }
    }

    init(_ reason: LogoutReason) {
        switch reason {
        case .logout, .kick, .expired, .session: self = .cut
        case .drain: self = .moving
        // Its entry has given way already; or its incarnation is over, and the entry is the reaper's.
        case .superseded, .node: self = .lost
        }
    }
}
