import NIOCore
import Routing

/// What operators look at: figures and audit of all nodes, once or again and again.
extension ControlActions {
    var watching: [ControlEndpoint] {
        [
            ControlEndpoint(
                .status, "What all nodes say of themselves: loops, connections, rates, bus, shards, complaints.",
                self.get("cluster", DomainQuery.self) { query, agent, station in
                    let domain = try self.view(query.domain, agent, .status, station)
                    return try await self.figures(of: domain, station)
                }),
            ControlEndpoint(
                .status, "The same again and again, as server-sent events named `cluster`.",
                Action(
                    .get, "/v1/stream",
                    options: ActionOptions(querySchema: ActionSchema(of: StreamQuery.self))
                ) { request, agent, reply in
                    let query = try request.query(as: StreamQuery.self)
                    let domain = try await self.running { try self.view(query.domain, agent, .status, $0) }
                    guard let lease = self.streams.lease() else { throw ActionError.busy }
                    let source = ClusterEvents(every: query.every ?? StreamQuery.usual, lease: lease) {
                        try self.access.check(agent, .status, domain: domain)
                        return try await self.running { try await self.figures(of: domain, $0) }
                    }
                    reply.stream(type: EventStreamText.type) { try await source.next() }
                }),
            ControlEndpoint(
                .audit, "What control keys have done of late, on all nodes.",
                self.get("audit", AuditQuery.self) { query, agent, station in
                    var query = query
                    query.domain = try self.view(query.domain, agent, .audit, station)
                    return try await station.audit(query, self.audit)
                }),
        ]
    }

    /// The domain that is shown; nil: all of them.
    func view(
        _ name: String?, _ agent: Agent, _ scope: ControlScope, _ station: RunningStation
    ) throws -> String? {
        guard let name = name ?? (agent.domain.isEmpty ? nil : agent.domain) else {
            try self.access.check(agent, scope)
            return nil
        }
        let domain = try station.domain(name)
        try self.access.check(agent, scope, domain: domain)
        return domain
    }

    private func figures(of domain: String?, _ station: RunningStation) async throws(StationError) -> ClusterFigures {
        let whole = try await station.feed.figures(submit: { station.background.submit($0) }) {
            () async throws(StationError) in try await station.clusterFigures()
        }
        return domain.map { whole.restricted(to: $0) } ?? whole
    }
}
