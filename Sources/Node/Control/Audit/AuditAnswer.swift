/// The answer to `GET /v1/audit`: the newest entries of all nodes.
struct AuditAnswer: Encodable, Sendable {
    struct Entry: Encodable, Sendable {
        var time: Int64
        /// Who has carried it out.
        var node: String
        var key: String
        var action: String
        var domain: String
        var user: String?
        var client: String?
        var address: String
        var isByDashboard: Bool
        var count: Int

        init(_ entry: AuditEntry, node: String) {
            self.time = entry.time
            self.node = node
            self.key = entry.key
            self.action = entry.action
            self.domain = entry.domain
            self.user = entry.user
            self.client = entry.client
            self.address = entry.address
            self.isByDashboard = entry.isByDashboard
            self.count = entry.count
        }
    }

    /// Newest first.
    var entries: [Entry]
    /// Nodes that have answered.
    var nodes: [String]

    init(_ pages: [AuditPage], limit: Int) {
        let all = pages.flatMap { page in page.entries.map { Entry($0, node: page.node) } }
        self.entries = Array(all.sorted { $0.time > $1.time }.prefix(limit))
        self.nodes = pages.map(\.node).sorted()
    }
}
