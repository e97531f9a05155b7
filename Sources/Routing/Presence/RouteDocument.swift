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
        /// The page instance, kept over reconnects (SPEC §1 "endpoint"); empty for a plain client, whose SID stands for it.
        package var endpoint: String
        /// Server time of the connect, in milliseconds since 1970.
        package var since: Int64
        /// Whether its client is told of the other side of Links: a plain one is not (SPEC §8).
        package var takesRosters: Bool
        /// nil for a connection that is not recoverable.
        package var recovery: Recovery? {
            get { self.rareRecovery.value }
            set { self.rareRecovery.value = newValue }
        }
        private var rareRecovery: Rare<Recovery>

        package init(
            socket: SocketID, node: NodeID, client: String, endpoint: String, since: Int64, takesRosters: Bool = false,
            recovery: Recovery? = nil
        ) {
            self.socket = socket
            self.node = node
            self.client = client
            self.endpoint = endpoint
            self.since = since
            self.takesRosters = takesRosters
            self.rareRecovery = Rare(recovery)
        }

        /// Whether this is the entry of the connection that `prepared` was made for. A recovered connection has another
        /// SID, and several on one node may have had that: the one that lost it, and the one that has it now.
        package func isHeld(by prepared: SocketID) -> Bool {
            if let take = self.recovery?.take { return take == prepared.token }
            return self.socket == prepared
        }

        /// What stands for the page instance outside: of a plain client its SID.
        package var endpointText: String { self.endpoint.isEmpty ? self.socket.text : self.endpoint }

        /// Whether that is the same page instance (LC-6). Plain clients have none: each connection stands for itself.
        package func isInstance(_ endpoint: String, of client: String) -> Bool {
            !self.endpoint.isEmpty && self.endpoint == endpoint && self.client == client
        }
    }

    /// What makes a connection recoverable (SOCKETIO §14.2).
    package struct Recovery: Sendable, Equatable {
        /// nil once the connection must not be recovered any more.
        package var pid: PrivateIDHash?
        /// The version of the document at which the connection was committed first.
        package var base: Int64
        /// ``SocketID/token`` of the SID that was prepared for whoever took the connection over last; nil before.
        package var take: Int64?
        /// Server time of the connection's first connect, in milliseconds since 1970; ``Connection/since`` of a recovered
        /// one is that of its return.
        package var first: Int64
        /// The rooms that it is in, its own not among them.
        package var rooms: [String]

        /// - Parameters:
        ///   - base: left to ``RouteMachine`` for a new connection.
        ///   - first: the same.
        package init(
            pid: PrivateIDHash?, base: Int64 = 0, take: Int64? = nil, first: Int64 = 0, rooms: [String] = []
        ) {
            self.pid = pid
            self.base = base
            self.take = take
            self.first = first
            self.rooms = rooms
        }
    }

    /// A connection whose client may come back: no presence, no receiver.
    package struct Away: Sendable, Equatable {
        package var socket: SocketID
        package var client: String
        package var endpoint: String
        package var pid: PrivateIDHash
        package var base: Int64
        /// When it is given up, in milliseconds of the primary's clock.
        package var until: Int64
        /// As in ``Recovery``.
        package var first: Int64
        package var rooms: [String]

        package init(
            socket: SocketID, client: String, endpoint: String, pid: PrivateIDHash, base: Int64, until: Int64,
            first: Int64 = 0, rooms: [String] = []
        ) {
            self.socket = socket
            self.client = client
            self.endpoint = endpoint
            self.pid = pid
            self.base = base
            self.until = until
            self.first = first
            self.rooms = rooms
        }
    }

    package let key: RouteKey
    /// 0 = there is no stored document yet; every committed write raises it.
    package var version: Int64
    package var live: [Connection]
    /// At most ``RouteRecovery/awayLimit``; expired ones count for nothing and go with whatever is written next.
    package var away: [Away]
    /// Where the user's events are logged; nil before its first recoverable connection.
    package var logPlace: String?
    /// Clients announced as online, each with its deadline when Offline is deferred (LC-8; nil = no grace running).
    package var announcedClients: AnnouncedClients
    /// Transitions that are committed but whose handlers have not all run yet, in `seq` order.
    package var outbox: [RouteTransition]
    /// The newest `seq` handed out. A new document starts at cluster seconds × 2^20 (LC-1).
    package var sequence: Int64
    /// Earliest grace deadline, of presence or of a Link, in milliseconds of the primary's clock; nil = none.
    package var due: Int64?
    /// Whether userOnline is the newest announcement of the user.
    package var isUserAnnounced: Bool
    /// Links that the user, or one of its clients, is a party of; at most ``RouteLimits/links``.
    package var links: [LinkHint]
    /// When an empty document goes, in milliseconds since 1970; nil while it holds anything (LC-1: 30 days).
    package var expires: Int64?
    /// It is stored in another format than this node writes: the next write of it writes it whole (SPEC ND-6).
    package var isOtherFormat = false

    /// The earliest of its deadlines: what ``due`` must be.
    package var earliestDeadline: Int64? {
        let presence = self.announcedClients.earliestDeadline
        return self.links.isEmpty ? presence : [presence, self.links.compactMap(\.due).min()].compactMap(\.self).min()
    }

    package init(key: RouteKey) {
        self.key = key
        self.version = 0
        self.live = []
        self.away = []
        self.logPlace = nil
        self.announcedClients = [:]
        self.isUserAnnounced = false
        self.outbox = []
        self.sequence = 0
        self.due = nil
        self.links = []
        self.expires = nil
    }
}
