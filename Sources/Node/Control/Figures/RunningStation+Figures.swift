import Routing

extension RunningStation {
    /// Complaints that a node tells of.
    private static let problems = 20

    /// What this node says of itself; nil while it has no lease.
    func ownFigures() -> NodeFigures? {
        guard let node = self.life.current else { return nil }
        let live = self.live.figures
        let membership = node.incarnation.membership
        let own = membership.own
        let record = membership.record(of: own.id) ?? own
        let health = node.adapter.health
        var whole = DomainTraffic()
        var wholeRate = TrafficCounts<Double>()
        var domains: [String: TrafficFigures] = [:]
        for (slot, name) in self.live.domains.names.enumerated() {
            let rate = live.rates.rate(of: slot)
            whole.add(live.traffic[slot])
            wholeRate.add(rate)
            domains[name] = TrafficFigures(live.traffic[slot], rate)
        }
        return NodeFigures(
            id: own.id.text, name: own.name, version: Version.text, address: own.address,
            state: "\(self.life.isLeaving ? NodeRecord.State.draining : record.state)", started: own.started,
            lease: "\(membership.standing)", unready: node.unreadiness, traffic: TrafficFigures(whole, wholeRate),
            domains: domains,
            loops: live.loops.map { loop in
                NodeFigures.Loop(
                    number: loop.number, sessions: loop.sessions, connections: loop.connections, users: loop.users,
                    lag: Self.milliseconds(loop.lag))
            },
            sessions: self.live.metrics.openSessions, rooms: live.rooms, pending: live.pending,
            intake: membership.ownIntake,
            homes: own.homes.enumerated().map { index, home in
                NodeFigures.Home(
                    home: home.label, mode: Self.item(health.modes, index) ?? "?",
                    latency: Self.finite(Self.item(health.latency, index)),
                    age: Self.finite(Self.item(health.probeAge, index)))
            },
            gaps: health.gaps,
            shards: self.shardWatch.figures.map {
                NodeFigures.Shard(name: $0.name, pending: $0.pending, latency: Self.milliseconds($0.slowest))
            },
            problems: self.problems.newest(Self.problems))
    }

    /// Asks all nodes.
    /// - Throws: ``StationError/unavailable(_:)``.
    func clusterFigures() async throws(StationError) -> ClusterFigures {
        guard let node = self.life.current, let own = self.ownFigures() else {
            throw .unavailable("this node has no lease at the moment")
        }
        var answers: [NodeFigures]
        do {
            answers = try await ClusterInquiry(node: node).ask(.figures, as: NodeFigures.self)
        } catch {
            throw .unavailable("too many requests to other nodes are under way")
        }
        answers.append(own)
        let known = node.incarnation.membership.snapshot.records.values.filter { $0.state < .gone }
        let heard = Set(answers.map(\.id))
        let silent = known.filter { !heard.contains($0.id.text) }.map { record in
            ClusterFigures.Silent(
                id: record.id.text, name: record.name, address: record.address, state: "\(record.state)",
                started: record.started)
        }
        answers.sort { ($0.name ?? $0.id, $0.id) < ($1.name ?? $1.id, $1.id) }
        return ClusterFigures(
            time: node.view.clusterTime, asked: own.id, domain: nil,
            nodes: Array(answers.prefix(ClusterFigures.mostNodes)),
            silent: Array(silent.sorted { $0.id < $1.id }.prefix(ClusterFigures.mostNodes)),
            leftOut: max(answers.count - ClusterFigures.mostNodes, 0)
                + max(silent.count - ClusterFigures.mostNodes, 0))
    }

    private static func milliseconds(_ nanoseconds: Int64) -> Double { (Double(nanoseconds) / 1e4).rounded() / 100 }

    /// Seconds in milliseconds; nil for none.
    private static func finite(_ seconds: Double?) -> Double? {
        guard let seconds, seconds.isFinite else { return nil }
        return (seconds * 1e5).rounded() / 100
    }

    private static func item<Item>(_ items: [Item], _ index: Int) -> Item? {
        items.indices.contains(index) ? items[index] : nil
    }
}
