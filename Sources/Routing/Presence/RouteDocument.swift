/// The route document of one user: live connections, announced presence, outbox, version (SPEC LC-1).
///
/// A value: ``RouteMachine`` computes the next one, a ``RouteStore`` keeps it. Presence derives from the set of SIDs.
package struct RouteDocument: Sendable, Equatable {
    /// One live connection.
    package struct Connection: Sendable, Equatable {
        package var socket: SocketID
        /// The node that owns the socket. A recovered connection keeps its SID on another node, so this decides (LC-6).
        package var node: NodeID
        package var client: String
        /// The page instance, kept over reconnects (SPEC §1 "endpoint").
        package var endpoint: String
        /// Server time of the connect, in milliseconds since 1970.
        package var since: Int64

        package init(socket: SocketID, node: NodeID, client: String, endpoint: String, since: Int64) {
            self.socket = socket
            self.node = node
            self.client = client
            self.endpoint = endpoint
            self.since = since
        }
    }

    package let key: RouteKey
    /// 0 = there is no stored document yet; every committed write raises it.
    package var version: Int64
    package var live: [Connection]
    /// Clients announced as online, each with its deadline when Offline is deferred (LC-8; nil = no grace running).
    package var announcedClients: [String: Int64?]
    /// Whether userOnline is the newest announcement of the user.
    package var isUserAnnounced: Bool
    /// Transitions that are committed but whose handlers have not all run yet, in `seq` order.
    package var outbox: [RouteTransition]
    /// The newest `seq` handed out. A new document starts at cluster seconds × 2^20 (LC-1).
    package var sequence: Int64
    /// Earliest grace deadline, in milliseconds of the primary's clock; nil = none.
    package var due: Int64?
    /// When an empty document goes, in milliseconds since 1970; nil while it holds anything (LC-1: 30 days).
    package var expires: Int64?

    package init(key: RouteKey) {
        self.key = key
        self.version = 0
        self.live = []
        self.announcedClients = [:]
        self.isUserAnnounced = false
        self.outbox = []
        self.sequence = 0
        self.due = nil
        self.expires = nil
    }
}
