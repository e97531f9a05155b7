package import Wire

/// What connections on one side of a Link are to be told.
package struct LinkMessage: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        /// Each recipient of each peer, but for its own endpoint (SPEC LK-7).
        case here(recipients: [RouteDocument.Connection], peers: [RouteDocument.Connection])
        /// The same (SPEC LK-12).
        case gone(recipients: [RouteDocument.Connection], peers: [RouteDocument.Connection])
        /// To all connections of the party on these nodes, and to the nodes' caches.
        /// - Parameter closed: nil: opened, or relabelled.
        case changed(nodes: [NodeID], closed: LinkCloseReason?)
    }

    package var record: LinkRecord
    /// Of the recipients.
    package var side: Int
    package var content: Content

    package var key: RouteKey { self.record.key(of: self.side) }
}
