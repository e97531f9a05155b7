/// What all nodes of the cluster say of themselves (`GET /v1/cluster`, and the events of `GET /v1/stream`).
struct ClusterFigures: Encodable, Sendable {
    /// One that is in the registry and has not answered in time.
    struct Silent: Encodable, Sendable, Equatable {
        let id: String
        let name: String?
        let address: String?
        /// As in ``StatusAnswer/Node/state``.
        let state: String
        /// Milliseconds since 1970.
        let started: Int64
    }

    /// Milliseconds since 1970.
    var time: Int64
    /// The node that was asked, and has asked the others.
    var asked: String
    /// The only domain that the figures are about; nil: all.
    var domain: String?
    /// By name, or id.
    var nodes: [NodeFigures]
    /// Dead, of another version, or too busy to answer.
    var silent: [Silent]

    /// Nodes of one answer; more are left out, and counted.
    static let mostNodes = 200
    /// Nodes that there were beyond.
    var leftOut: Int = 0

    func restricted(to domain: String) -> ClusterFigures {
        var figures = self
        figures.domain = domain
        figures.nodes = self.nodes.map { $0.restricted(to: domain) }
        return figures
    }
}
