import Logging
import Metrics
import NIOCore
import Routing
import Wire

/// Who is told of whom (SPEC LK-7, LK-8, LK-11, LK-12, LK-14): carries out ``LinkTelling``.
extension LinkBroker {
    // MARK: What happens

    /// A route with Links was committed by this node. Called by the committer: nothing here takes time.
    func note(_ document: RouteDocument, _ changes: LinkChanges) {
        for connection in changes.arrivals where connection.node == self.around.node && connection.takesRosters {
            self.arrivals.note(connection.socket, document)
        }
        for connection in changes.departures where connection.node == self.around.node {
            _ = self.arrivals.take(connection.socket)
        }
        if !changes.closings.isEmpty { self.close(changes.closings, of: document.key) }
        // A page that came back under another SID is not gone.
        let gone = changes.departures.filter { old in
            old.takesRosters && !document.live.contains { $0.isInstance(old.endpoint, of: old.client) }
        }
        guard !gone.isEmpty else { return }
        // Information only: a client whose peer is silent finds out by itself.
        _ = self.around.work.submit {
            for hint in document.links where !changes.closings.contains(where: { $0.key == hint.key }) {
                let leavers = gone.filter { hint.client == nil || hint.client == $0.client }
                if !leavers.isEmpty { await self.tell(.left(leavers, document, hint)) }
            }
        }
    }

    /// A connection has come live: it is told of the other sides of its Links, and they of it.
    /// - Parameter route: as it was committed with the connection, and no older.
    func join(_ route: RouteDocument, _ socket: SocketID) {
        let isQueued = self.around.work.submit { await self.introduce(socket, route) }
        if !isQueued { self.metrics.failures.increment() }
    }

    private func introduce(_ socket: SocketID, _ route: RouteDocument) async {
        guard let connection = route.live.first(where: { $0.socket == socket }) else { return }
        for hint in route.links where hint.client == nil || hint.client == connection.client {
            await self.tell(.joined([connection], route, hint))
        }
    }

    /// The same for one that was live before: messages were lost.
    func rejoin(_ key: RouteKey, _ socket: SocketID) {
        let isQueued = self.around.work.submit {
            let route: RouteDocument?
            do throws(StoreError) {
                route = try await self.routes([key])[key]
            } catch {
                return self.failed(error)
            }
            if let route { await self.introduce(socket, route) }
        }
        if !isQueued { self.metrics.failures.increment() }
    }

    // MARK: Telling

    /// Repeated for a minute where the database does not answer: nobody else will.
    func tell(_ cause: LinkTelling.Cause) async {
        let end = ContinuousClock.now + .seconds(60)
        var pause = Duration.milliseconds(200)
        while true {
            do throws(StoreError) {
                for message in try await self.messages(cause) { self.send(message) }
                return
            } catch {
                self.failed(error)
            }
            guard ContinuousClock.now < end else { return }
            do { try await Task.sleep(for: pause) } catch { return }
            pause = min(pause * 2, .seconds(2))
        }
    }

    private func messages(_ cause: LinkTelling.Cause) async throws(StoreError) -> [LinkMessage] {
        var telling = LinkTelling(cause, members: self.service.limits.members)
        var action = telling.begin()
        while true {
            switch action {
            case .readRecord(let key, let isLatest):
                action = telling.recordRead(try await self.find(key, isLatest: isLatest))
            case .readRoutes(let keys):
                action = telling.routesRead(
                    try await self.routes(keys), claimed: self.around.membership.claimedNodes)
            case .unlink(let route, let key, let generation):
                await self.unlink([route], key, through: generation)
                action = telling.unlinked()
            case .finish(let messages):
                if telling.excess > 0 {
                    self.metrics.excess.increment(by: telling.excess)
                    self.service.logger.notice(
                        "a party of a link has more connections than take part in it",
                        metadata: ["limit": "\(self.service.limits.members)"])
                }
                return messages
            }
        }
    }

    private func send(_ message: LinkMessage) {
        switch message.content {
        case .here(let recipients, let peers): self.send(message, .here, recipients, peers)
        case .gone(let recipients, let peers): self.send(message, .gone, recipients, peers)
        case .changed(let nodes, let closed):
            self.cache.drop(message.record.key)
            let notice = LinkNotice(
                token: message.record.token.text, client: message.record.sides[message.side].party.client,
                closed: closed)
            for node in nodes {
                guard node == self.around.node else {
                    self.send(.link, message.key, to: node) { () throws(EnvelopeError) in try notice.encode() }
                    continue
                }
                self.apply(notice, message.key) {}
            }
        }
    }

    private func send(
        _ message: LinkMessage, _ change: PeerRoster.Change, _ recipients: [RouteDocument.Connection],
        _ peers: [RouteDocument.Connection]
    ) {
        for (node, connections) in Dictionary(grouping: recipients, by: \.node) {
            let roster = PeerRoster(
                change: change, token: message.record.token.text, generation: message.record.generation,
                label: ByteBuffer(string: message.record.label(seenFrom: message.side)),
                recipients: connections.map(\.socket.text),
                peers: peers.map { .init(socket: $0.socket.text, endpoint: $0.endpointText) })
            if node == self.around.node {
                self.apply(roster, message.key) {}
            } else {
                self.send(.roster, message.key, to: node) { () throws(EnvelopeError) in try roster.encode() }
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
            (
                endpoint: peer.endpoint,
                packet: roster.change == .here ? OutboundPacket.peerHere(roster, peer) : .peerGone(roster, peer)
            )
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
