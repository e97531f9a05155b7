import Metrics
import Routing

/// The metrics of this node's place in the cluster (SPEC OP-2; docs/operations.md).
struct ClusterMetrics: Sendable {
    /// Dead nodes that this one began to reap.
    let reaps = Counter(label: "submergence_cluster_reaps_total")
    /// Nodes that were reaped, whose late writes this one looks for in place of their reaper (ND-4).
    let watches = Counter(label: "submergence_cluster_watches_total")
    /// Incarnations that ended because their lease did (ND-3, ND-5).
    let incarnationsLost = Counter(label: "submergence_cluster_incarnations_lost_total")
    /// Store calls that failed; all of them are repeated.
    let storeFailures = Counter(label: "submergence_cluster_store_failures_total")
    private let nodes = Gauge(label: "submergence_cluster_nodes")
    private let standing = Gauge(label: "submergence_cluster_lease_standing")
    private let ready = Gauge(label: "submergence_cluster_ready")
    private let intake = Gauge(label: "submergence_cluster_intake")

    /// - Parameter standing: 4 held, 3 leaving, 2 fenced, 1 silenced, 0 isolated (``LeaseStanding``).
    /// - Parameter intake: connects a second that the others are told of.
    func sample(nodes: Int, standing: LeaseStanding, isReady: Bool, intake: Int) {
        self.nodes.record(nodes)
        self.standing.record(Int(standing.rawValue))
        self.ready.record(isReady ? 1 : 0)
        self.intake.record(intake)
    }
}
