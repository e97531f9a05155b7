/// One wish to change a route document (SPEC LC-2).
package enum RouteChange: Sendable, Equatable {
    /// Adds the connection. A present SID changes nothing; on another node it moves here (LC-6).
    case connect(RouteDocument.Connection)
    /// Removes the connection if `node` still owns it. An absent one changes nothing.
    case disconnect(SocketID, node: NodeID)
    /// Removes every connection of a dead node and takes over its outbox (ND-4). Without grace.
    case reap(NodeID)
    /// The handlers of the node's own transitions have run, up to and with this `seq`.
    case acknowledge(through: Int64)
}

/// What a committed change did.
package enum RouteOutcome: Sendable, Equatable {
    /// - Parameter superseded: older connections of the same endpoint that gave way (LC-6); their nodes must be told.
    case connected(superseded: [RouteDocument.Connection])
    /// Nothing was added: a temporary refusal (LC-9).
    case refused(RouteLimits.Kind)
    case applied
}
