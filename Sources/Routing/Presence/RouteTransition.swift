/// One change of announced presence (SPEC §1), waiting in a route document's outbox or on its way to the handlers.
package struct RouteTransition: Sendable, Hashable {
    package enum Kind: UInt8, Sendable {
        case userOnline = 1
        case clientOnline = 2
        case clientOffline = 3
        case userOffline = 4
    }

    package var kind: Kind
    /// The client for `clientOnline` and `clientOffline`; nil for the user's own.
    package var client: String?
    /// Consecutive per route key; a handler that sees one not newer than the last may ignore it (SPEC LC-3).
    package var sequence: Int64
    /// The node that runs the handlers.
    package var owner: NodeID

    package init(kind: Kind, client: String?, sequence: Int64, owner: NodeID) {
        self.kind = kind
        self.client = client
        self.sequence = sequence
        self.owner = owner
    }
}
