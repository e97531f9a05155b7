import Routing
import Wire

/// What the control API, and applications, ask of a running station.
extension RunningStation {
    /// The same packet to several people; the receipts are in their order.
    func send(
        _ packet: OutboundPacket, to keys: [RouteKey], client: String?, _ delivery: EventDelivery,
        _ confirm: SendConfirmation
    ) async throws(StationError) -> [Receipt] {
        if keys.count == 1 { return [try await self.send(packet, to: keys[0], client: client, delivery, confirm)] }
        let results = await withTaskGroup(of: (Int, Result<Receipt, StationError>).self) { group in
            for (index, key) in keys.enumerated() {
                group.addTask {
                    do throws(StationError) {
                        return (
                            index, .success(try await self.send(packet, to: key, client: client, delivery, confirm))
                        )
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [Int: Result<Receipt, StationError>]()) { $0[$1.0] = $1.1 }
        }
        var receipts: [Receipt] = []
        for index in keys.indices {
            guard let result = results[index] else { continue }
            receipts.append(try result.get())
        }
        return receipts
    }

    /// Who of these people is there. One read for each shard that holds some of them.
    /// - Parameter client: only this device of theirs.
    func presence(
        of users: [String], client: String?, domain: String
    ) async throws -> PresenceAnswer {
        guard let node = self.life.current else {
            throw StationError.unavailable("this node has no lease at the moment")
        }
        let keys = try users.map { try self.key(domain: domain, user: $0) }
        let routes = self.backend.routes
        var documents: [RouteKey: RouteDocument] = [:]
        for (shard, keys) in Dictionary(grouping: Set(keys), by: { routes.shard(of: $0) }) {
            documents.merge(try await routes.read(keys, shard: shard)) { $1 }
        }
        let claimed = node.view.claimedNodes
        let names = await self.names(of: Set(documents.values.flatMap { $0.live.map(\.node) }))
        return PresenceAnswer(
            users: keys.map { key in
                let live = (documents[key]?.live ?? []).filter { connection in
                    (client == nil || connection.client == client) && !claimed.contains(connection.node)
                }
                let devices = Dictionary(grouping: live, by: \.client).map { client, connections in
                    PresenceAnswer.Device(
                        client: client, connections: connections.count,
                        nodes: Set(connections.map(\.node)).map { names[$0] ?? $0.text }.sorted())
                }
                return PresenceAnswer.Person(
                    user: key.user, active: !live.isEmpty, devices: devices.sorted { $0.client < $1.client })
            })
    }

    /// The directory may be 2 s behind a node that has just come: then the registry is asked.
    private func names(of ids: Set<NodeID>) async -> [NodeID: String] {
        let membership = self.life.current?.incarnation.membership
        var records = ids.compactMap { membership?.record(of: $0) }
        if records.count < ids.count { records += await self.knownNodes() }
        return Dictionary(records.map { ($0.id, $0.name ?? $0.id.text) }) { first, _ in first }
    }

    /// - Returns: how many there were.
    func closeLinks(of key: RouteKey, client: String?) async throws(StationError) -> Int {
        guard let links = self.life.current?.links else {
            throw .unavailable("this node has no lease at the moment")
        }
        do {
            return try await links.closeAll(key, client: client)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    func status() async throws -> StatusAnswer {
        let records = await self.knownNodes()
        let counts = self.live.counts
        return StatusAnswer(
            node: self.life.current?.id.text, name: self.configuration.name, version: Version.text,
            domains: self.configuration.domains.isEmpty
                ? [self.configuration.defaultDomain].compactMap(\.self) : self.configuration.domains.map(\.name),
            unready: self.life.current?.unreadiness ?? ["no incarnation: this node has no lease"],
            connections: counts.connections, users: counts.users,
            nodes: records.sorted { $0.started < $1.started }.map { record in
                StatusAnswer.Node(
                    id: record.id.text, name: record.name, address: record.address, state: "\(record.state)",
                    started: record.started, homes: record.homes.map { "\($0.shard)/slot\($0.slot)" },
                    intake: record.intake)
            },
            findings: self.backend.findings)
    }
}
