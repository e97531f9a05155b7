/// What a node says about itself and the cluster (`GET /v1/status`).
struct StatusAnswer: Encodable, Sendable {
    struct Node: Encodable, Sendable {
        let id: String
        let name: String?
        let address: String?
        /// `up`, `draining`, `superseded`, `claimed` (found dead, being removed) or `gone`.
        let state: String
        /// Milliseconds since 1970.
        let started: Int64
        /// Where its inboxes are, as `shard/slot4`.
        let homes: [String]
        /// Connects a second that it says it can take; nil for one that does not say.
        let intake: Int?
    }

    /// The node that answers; nil while it has no lease.
    let node: String?
    let name: String?
    let version: String
    let domains: [String]
    /// Why it takes no new connections; empty when it does.
    let unready: [String]
    /// Of this node.
    let connections: Int
    let users: Int
    /// Of the cluster, by start.
    let nodes: [Node]
    /// What the start has found: the deployment, and how the inboxes are read.
    let findings: [String]
}
