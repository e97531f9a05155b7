/// Why a route operation did not take place.
package enum RouteError: Error, Sendable, Equatable {
    /// The shard's queue is full (SPEC ND-15): refuse on the transport, at once.
    case busy
    /// The user or client has too many connections (LC-9).
    case limit(RouteLimits.Kind)
    /// Not committed in time (ND-15: 5 s). If it lands later, the committer removes it again.
    case deadline
    /// A removal of the same connection arrived before the connect was committed.
    case cancelled
    /// The store refused, and repeating would not help.
    case refused(StoreError)
    /// This incarnation is over (ND-3) or shutting down.
    case closed
}
