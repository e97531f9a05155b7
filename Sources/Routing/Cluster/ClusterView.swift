/// What the parts that write routes and call handlers ask about the cluster, often and from any thread.
///
/// ``Membership`` answers for a node; tests answer by hand.
package protocol ClusterView: Sendable {
    /// How far the lease still reaches, now (SPEC ND-3).
    var standing: LeaseStanding { get }

    /// Nodes that are claimed or gone: their connections do not count and are removed when met (ND-4).
    var claimedNodes: Set<NodeID> { get }

    /// The primary's clock as measured with the renewals, in milliseconds since 1970 (LC-8).
    var clusterTime: Int64 { get }
}
