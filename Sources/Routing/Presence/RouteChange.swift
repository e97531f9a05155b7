package import Wire

/// One wish to change a route document (SPEC LC-2).
package enum RouteChange: Sendable, Equatable {
    /// Adds the connection. A present SID changes nothing; on another node it moves here (LC-6).
    case connect(RouteDocument.Connection)
    /// Takes over the connection of this private ID, live or away, of the same client: the new entry keeps the old one's
    /// SID and has this one's node, endpoint and time. Without one, this connects: its SID was prepared for that.
    case recover(PrivateIDHash, RouteDocument.Connection)
    /// The connection that was taken over for this one's SID is not recovered after all, as its history is incomplete: a new
    /// one takes its place in the same write, so that no send finds neither. Answered with `connected`.
    case renew(RouteDocument.Connection)
    /// Removes the connection if `node` still owns it. An absent one changes nothing.
    /// - Parameters:
    ///   - socket: the SID that was prepared for it, also where it recovered another one.
    ///   - isFinal: its client is not to come back as this connection (SOCKETIO §14.2): nothing is kept of it.
    ///   - grace: how long the client stays announced if this was its last connection, in milliseconds (LC-8); 0: not at all.
    ///   - links: what becomes of the Links of a party that it was the last connection of (LK-13).
    case disconnect(
        SocketID, node: NodeID, isFinal: Bool = false, grace: Int64 = 0, links: LinkDeparture = .atOnce)
    /// The rooms that the connection is in from now on, its own not among them. More than ``RouteRecovery/takes(rooms:)``
    /// are not kept: then the connection is not recoverable any more.
    case setRooms([String], of: SocketID, node: NodeID)
    /// No connection of the user, or of one client of it, is recoverable any more, and none is waited for (kick, logout).
    /// - Parameter links: why Links that wait are closed.
    case forget(client: String?, links: LinkCloseReason = .offline)
    /// Removes every connection of a dead node and takes over its outbox (ND-4). Without grace.
    case reap(NodeID)
    /// Notes that a party of the user's has a Link, if the party is live (LK-15). Answered with `linked`.
    case link(LinkHint)
    /// The Link is closed: removes what was noted of it up to and with this generation.
    case unlink(LinkKey, through: Int64)
    /// Announces the clients, and closes the Links, whose grace is over (LC-8, LK-13). Answered with `settled`.
    /// - Parameter isOverdue: in place of the node that stored the deadline.
    case settle(isOverdue: Bool)
    /// The handlers of the node's own transitions have run, up to and with this `seq`.
    case acknowledge(through: Int64)
}

/// What a committed change did.
package enum RouteOutcome: Sendable, Equatable {
    /// - Parameter superseded: older connections of the same endpoint that gave way (LC-6); their nodes must be told.
    case connected(superseded: [RouteDocument.Connection])
    /// The answer to a ``RouteChange/recover(_:_:)`` that found its connection; else it is `connected`.
    case recovered(RecoveredConnection)
    /// Nothing was added: a temporary refusal (LC-9).
    case refused(RouteLimits.Kind)
    /// - Parameter due: the route's next deadline, in milliseconds of the primary's clock.
    case settled(due: Int64?)
    /// - Parameter isLive: false: the party has no connection, and nothing was noted.
    case linked(isLive: Bool)
    case applied

    /// Connections that gave way.
    var superseded: [RouteDocument.Connection] {
        switch self {
        case .connected(let superseded): superseded
        case .recovered(let recovered): recovered.superseded
        case .refused, .settled, .linked, .applied: []
        }
    }
}
