internal import Routing
internal import Wire

/// What configurations of domains need of the node around them.
struct DomainSurroundings: Sendable {
    /// All nodes, from the primary and never from the cached directory.
    let nodes: @Sendable () async throws(StoreError) -> DirectoryReading
    /// To another node.
    let publish: @Sendable (BusMessage, NodeRecord) -> Void
    /// The present incarnation; nil while there is none.
    let localNode: @Sendable () -> NodeID?
    /// Runs work in a bounded pool; false: it will not run.
    let submit: @Sendable (@escaping @Sendable () async -> Void) -> Bool
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
}
