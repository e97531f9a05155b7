import Routing
import Wire

/// What the control API, and applications, ask of a running station.
extension RunningStation {
    /// The same packet to several people; the receipts are in their order.
    /// - Parameter span: of the request, in a trace of the application's.
    func send(
        _ packet: OutboundPacket, to keys: [RouteKey], client: String?, _ delivery: EventDelivery,
        _ confirm: SendConfirmation, in span: TraceSpan?
    ) async throws(StationError) -> [Receipt] {
        @Sendable func send(_ key: RouteKey) async throws(StationError) -> Receipt {
            try await self.send(packet, to: key, client: client, delivery, confirm, in: span)
        }
        if keys.count == 1 { return [try await send(keys[0])] }
        let results = await withTaskGroup(of: (Int, Result<Receipt, StationError>).self) { group in
            for (index, key) in keys.enumerated() {
                group.addTask {
                    do throws(StationError) {
                        return (index, .success(try await send(key)))
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
    /// - Parameters:
    ///   - client: only this device of theirs.
    ///   - namesTabs: whether each connection is told of.
    func presence(
        of users: [String], client: String?, domain: String, namesTabs: Bool = false
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
                        nodes: Set(connections.map(\.node)).map { names[$0] ?? $0.text }.sorted(),
                        tabs: namesTabs
                            ? connections.sorted { $0.since < $1.since }.map { connection in
                                PresenceAnswer.Tab(
                                    sid: connection.socket.text, endpoint: connection.endpointText,
                                    node: names[connection.node] ?? connection.node.text, since: connection.since)
                            } : nil)
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

    /// Links that are told of.
    private static let mostLinks = 200

    /// What Links somebody is a party of: hints say where to look, the records what is so (SPEC LK-5).
    func links(of key: RouteKey, client: String?) async throws -> LinksAnswer {
        let shard = self.backend.routes.shard(of: key)
        let hints = try await self.backend.routes.read([key], shard: shard)[key]?.links ?? []
        var records: [LinkRecord] = []
        for hint in hints.prefix(Self.mostLinks) {
            if let record = try await self.backend.links.find(hint.key) { records.append(record) }
        }
        return LinksAnswer(records, of: key, client: client)
    }

    /// What control keys have done, on all nodes.
    /// - Throws: ``StationError/unavailable(_:)``.
    func audit(_ query: AuditQuery, _ log: AuditLog) async throws -> AuditAnswer {
        guard let node = self.life.current else {
            throw StationError.unavailable("this node has no lease at the moment")
        }
        var pages: [AuditPage]
        do {
            pages = try await ClusterInquiry(node: node).ask(
                .audit, try JSONValue(encoding: query), as: AuditPage.self)
        } catch is ClusterRequests.Full {
            throw StationError.unavailable("too many requests to other nodes are under way")
        }
        pages.append(AuditPage(node: self.nodeName, entries: log.newest(query, domain: query.domain)))
        return AuditAnswer(pages, limit: query.limit ?? AuditQuery.usual)
    }

    /// What other nodes may ask this one.
    func answerInquiries(_ log: AuditLog) {
        self.live.inquiries.set(.figures) { [weak self] _ in
            guard let figures = self?.ownFigures() else { return nil }
            return ClusterInquiry.encode(figures)
        }
        self.live.inquiries.set(.audit) { [weak self] arguments in
            guard let self, let value = try? JSONValue(text: arguments),
                let query = try? value.decoded(as: AuditQuery.self)
            else { return nil }
            let entries = log.newest(query.clamped, domain: query.domain)
            return ClusterInquiry.encode(AuditPage(node: self.nodeName, entries: entries))
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
