import Logging
import Metrics
import NIOCore
import Routing
import Wire

/// Who is told of whom (SPEC LK-7, LK-8, LK-11, LK-12, LK-14).
extension LinkBroker {
    // MARK: From the routes

    /// A route with Links was committed by this node. Called by the committer: nothing here takes time.
    func note(_ document: RouteDocument, _ changes: LinkChanges) {
        for connection in changes.arrivals where connection.node == self.around.node && connection.takesRosters {
            self.arrivals.note(connection.socket)
        }
        if !changes.closings.isEmpty { self.close(changes.closings, of: document.key) }
        for connection in changes.departures where connection.node == self.around.node {
            _ = self.arrivals.take(connection.socket)
        }
        let gone = changes.departures.filter { old in
            old.takesRosters
                && !document.live.contains { $0.endpoint == old.endpoint && $0.client == old.client }
        }
        guard !gone.isEmpty else { return }
        // Information only: a client whose peer is silent finds out by itself.
        _ = self.around.work.submit { await self.tellGone(gone, document, except: changes.closings) }
    }

    // MARK: Joining

    /// A connection has come live, or messages were lost: it is told of the other sides of its Links, and they of it.
    func join(_ key: RouteKey, _ socket: SocketID) {
        let isQueued = self.around.work.submit {
            do {
                guard let route = try await self.routes([key])[key],
                    let connection = route.live.first(where: { $0.socket == socket })
                else { return }
                for hint in route.links where hint.client == nil || hint.client == connection.client {
                    try await self.introduce([connection], route, hint)
                }
            } catch {
                self.metrics.failures.increment()
                self.service.logger.warning("a roster was not made", metadata: ["error": "\(error)"])
            }
        }
        if !isQueued { self.metrics.failures.increment() }
    }

    /// Tells these connections of a party of the other side, and the other side of them.
    private func introduce(
        _ connections: [RouteDocument.Connection], _ route: RouteDocument, _ hint: LinkHint
    ) async throws(StoreError) {
        // Read behind the connection's own route: who opens the Link reads the routes behind the record.
        let record = try await self.service.store.find(hint.key)
        guard let record, record.state != .closed else {
            // Stale, and met.
            _ = await self.around.committer.perform(
                .unlink(hint.key, through: hint.generation), key: route.key)
            return
        }
        guard record.state == .open else { return }
        for side in record.isWithinParty ? [0] : [0, 1]
        where record.key(of: side) == route.key && record.sides[side].party.client == hint.client {
            let claimed = self.around.membership.claimedNodes
            let own = LinkRoster(route, record.sides[side].party, claimed: claimed)
            let joining = connections.filter { own.has($0.socket) }
            if joining.count < connections.count {
                self.service.logger.notice(
                    "a party of a link has more connections than take part in it",
                    metadata: ["limit": "\(LinkRoster.meshLimit)"])
            }
            let otherKey = record.key(of: 1 - side)
            guard !joining.isEmpty, let other = try await self.routes([otherKey])[otherKey] else { continue }
            let opposite = LinkRoster(other, record.sides[1 - side].party, claimed: claimed).members
            self.tell(record, .here, joining, on: side, of: opposite)
            self.tell(record, .here, opposite, on: 1 - side, of: joining)
        }
    }

    // MARK: Leaving

    private func tellGone(
        _ gone: [RouteDocument.Connection], _ document: RouteDocument, except closings: [LinkHint]
    ) async {
        for hint in document.links where !closings.contains(where: { $0.key == hint.key }) {
            let leavers = gone.filter { hint.client == nil || hint.client == $0.client }
            guard !leavers.isEmpty else { continue }
            do throws(StoreError) {
                guard let record = try await self.service.store.find(hint.key), record.state == .open else { continue }
                for side in record.isWithinParty ? [0] : [0, 1]
                where record.key(of: side) == document.key && record.sides[side].party.client == hint.client {
                    let otherKey = record.key(of: 1 - side)
                    guard let other = try await self.routes([otherKey])[otherKey] else { continue }
                    let claimed = self.around.membership.claimedNodes
                    let opposite = LinkRoster(other, record.sides[1 - side].party, claimed: claimed).members
                    self.tell(record, .gone, opposite, on: 1 - side, of: leavers)
                    let own = LinkRoster(document, record.sides[side].party, claimed: claimed)
                    let successors = own.successors(of: leavers)
                    if !successors.isEmpty { try await self.introduce(successors, document, hint) }
                }
            } catch {
                self.failed(error)
            }
        }
    }

    // MARK: Opening and closing

    /// Both parties are told of each other. The routes are read behind the record's opening (see `join`).
    func tellOpened(_ record: LinkRecord) async {
        do throws(StoreError) {
            let routes = try await self.routes(record.hints.map(\.key))
            self.notify(record, routes, closed: nil)
            let claimed = self.around.membership.claimedNodes
            let rosters = [0, 1].map { side in
                routes[record.key(of: side)].map {
                    LinkRoster($0, record.sides[side].party, claimed: claimed).members
                } ?? []
            }
            for side in record.isWithinParty ? [0] : [0, 1] {
                self.tell(record, .here, rosters[side], on: side, of: rosters[1 - side])
            }
        } catch {
            self.failed(error)
        }
    }

    /// Every connection of both parties is told, and every cache that may have the Link.
    func tellClosed(_ record: LinkRecord) async {
        self.cache.drop(record.key)
        for attempt in 1... {
            do throws(StoreError) {
                let routes = try await self.routes(record.hints.map(\.key))
                return self.notify(record, routes, closed: record.reason ?? .closed)
            } catch {
                self.failed(error)
                guard attempt < 5 else { return }
            }
            do { try await Task.sleep(for: .milliseconds(200 * attempt)) } catch { return }
        }
    }

    private func notify(
        _ record: LinkRecord, _ routes: [RouteKey: RouteDocument], closed: LinkCloseReason?
    ) {
        self.cache.drop(record.key)
        for side in record.isWithinParty ? [0] : [0, 1] {
            let party = record.sides[side].party
            let key = record.key(of: side)
            let notice = LinkNotice(token: record.token.text, client: party.client, closed: closed)
            for node in Set((routes[key]?.live ?? []).filter { party.has($0) }.map(\.node)) {
                if node == self.around.node {
                    self.apply(notice, key) {}
                } else {
                    self.send(.link, key, to: node) { () throws(EnvelopeError) in try notice.encode() }
                }
            }
        }
    }

    /// Hands a roster to the nodes of its recipients.
    private func tell(
        _ record: LinkRecord, _ change: PeerRoster.Change, _ recipients: [RouteDocument.Connection], on side: Int,
        of peers: [RouteDocument.Connection]
    ) {
        guard !peers.isEmpty, !recipients.isEmpty else { return }
        let key = record.key(of: side)
        for (node, connections) in Dictionary(grouping: recipients, by: \.node) {
            let roster = PeerRoster(
                change: change, token: record.token.text, generation: record.generation,
                label: ByteBuffer(string: record.label(seenFrom: side)), recipients: connections.map(\.socket.text),
                peers: peers.map { .init(socket: $0.socket.text, endpoint: $0.endpoint) })
            if node == self.around.node {
                self.apply(roster, key) {}
            } else {
                self.send(.roster, key, to: node) { () throws(EnvelopeError) in try roster.encode() }
            }
        }
    }

    func send(
        _ kind: BusMessage.Kind, _ key: RouteKey, to node: NodeID, _ encode: () throws(EnvelopeError) -> ByteBuffer
    ) {
        do {
            self.around.messenger.publish(BusMessage(kind: kind, key: key.text, payload: try encode()), to: node)
        } catch {
            self.metrics.failures.increment()
            self.service.logger.error("a message about a link is too large", metadata: ["error": "\(error)"])
        }
    }

    // MARK: To the connections of this node

    /// - Parameter done: called once, when the loops have taken it.
    func apply(_ notice: LinkNotice, _ key: RouteKey, done: @escaping @Sendable () -> Void) {
        if let token = LinkToken(notice.token) { self.cache.drop(token.key) }
        guard let reason = notice.closed else { return done() }
        let packet = OutboundPacket.peerClosed(token: notice.token, reason)
        self.around.index.visit(key) { table in
            for connection in table.connections(of: key, client: notice.client) {
                (connection as? LiveConnection)?.takeAboutLink(packet)
            }
            return 0
        } completion: { _ in
            done()
        }
    }

    func apply(_ roster: PeerRoster, _ key: RouteKey, done: @escaping @Sendable () -> Void) {
        let recipients = Set(roster.recipients)
        let packets = roster.peers.map { peer in
            (endpoint: peer.endpoint, packet: roster.change == .here
                ? OutboundPacket.peerHere(roster, peer) : .peerGone(roster, peer))
        }
        self.metrics.rosters.increment(by: recipients.count)
        self.around.index.visit(key) { table in
            for connection in table.connections(of: key) where recipients.contains(connection.socket.text) {
                guard let connection = connection as? LiveConnection else { continue }
                for (endpoint, packet) in packets where endpoint != connection.endpoint {
                    connection.takeAboutLink(packet)
                }
            }
            return 0
        } completion: { _ in
            done()
        }
    }
}
