import NIOCore
import Routing
import Wire

/// The `link` and `peer` events of clients (SPEC §8).
extension LiveConnection {
    /// Made with the first one; nil for whoever has no Links: guests and plain clients.
    private func linkDesk(_ service: LinkService) -> LinkDesk? {
        if let desk = self.links { return desk }
        guard self.phase == .ready, self.speaksProduct, let identity = self.identity,
            let broker = self.clusterNode.links
        else { return nil }
        let desk = LinkDesk(self, service, broker, identity)
        self.links = desk
        return desk
    }

    func takeLink(
        _ arguments: UnsafeRawBufferPointer, hasAttachments: Bool, ackID: Int64?, isOverRate: Bool,
        _ service: LinkService
    ) {
        do throws(LinkPacket.Refusal) {
            let packet = try LinkPacket(
                arguments, hasAttachments: hasAttachments, longestQuery: service.limits.label)
            guard let desk = self.linkDesk(service) else {
                return self.refuseLink(.forbidden, packet.id, ackID, service)
            }
            if isOverRate { return self.refuseLink(.busy, packet.id, ackID, service) }
            desk.takeLink(packet, ackID: ackID)
        } catch {
            if error.isTooLarge { self.loop.server.metrics.hit(.query) }
            self.refuseLink(isOverRate ? .busy : .invalid, error.id, ackID, service)
        }
    }

    func takePeer(
        _ arguments: UnsafeRawBufferPointer, hasAttachments: Bool, isOverRate: Bool, _ service: LinkService
    ) {
        do throws(PeerPacket.Refusal) {
            let packet = try PeerPacket(arguments, hasAttachments: hasAttachments, limits: service.limits.signal)
            guard let desk = self.linkDesk(service) else {
                return self.refusePeer(packet.token, packet.to, .forbidden, service)
            }
            if isOverRate { return self.refusePeer(packet.token, packet.to, .busy, service) }
            desk.takePeer(packet)
        } catch {
            switch error.limit {
            case .description: self.loop.server.metrics.hit(.description)
            case .candidate: self.loop.server.metrics.hit(.candidate)
            case nil: break
            }
            self.refusePeer(error.token, error.to, isOverRate ? .busy : .invalid, service)
        }
    }

    func refuseLink(_ error: LinkError, _ id: MessageID?, _ ackID: Int64?, _ service: LinkService) {
        service.metrics.refused(error)
        self.writeLink(OutboundPacket.linkAnswer(id, "\"error\":\"\(error.rawValue)\""), ackID: ackID)
    }

    /// The event and the acknowledgement, with nothing between them (SPEC WS-1).
    func writeLink(_ object: ByteBuffer, ackID: Int64?) {
        var packets = [OutboundPacket.link(object)]
        if let ackID {
            packets.append(object.withUnsafeReadableBytes { .passing(name: nil, arguments: $0, ackID: ackID) })
        }
        self.session.send(packets)
    }

    func refusePeer(_ token: String?, _ to: String?, _ error: LinkError, _ service: LinkService) {
        service.metrics.failed(error)
        self.session.send(.peerError(token: token, to: to, error))
    }

    /// What the other side of a Link says, or is said of it: behind `ready`.
    func takeAboutLink(_ packet: OutboundPacket) {
        guard self.speaksProduct else { return }
        if self.phase == .ready { self.session.send(packet) } else { self.enqueue(packet, nil) }
    }

    /// The connection is live: it is told of the other sides of its Links (SPEC LC-5, LK-11). Behind the liveConnection hook.
    func joinLinks() {
        guard let broker = self.clusterNode.links, let route = broker.arrivals.take(self.socket) else { return }
        let socket = self.socket
        guard let domain = self.identity?.domain, self.loop.server.setup.liveConnection.isWanted(domain) else {
            return broker.join(route, socket)
        }
        // Where the hook did not run either, there is nothing to be behind.
        if !self.session.enqueueHandler({ broker.join(route, socket) }) { broker.join(route, socket) }
    }

    /// The connection has ended.
    func leaveLinks() {
        self.links?.end()
        guard let broker = self.clusterNode.links, let key = self.identity?.key else { return }
        _ = broker.arrivals.take(self.socket)
        broker.cache.drop(of: key)
    }
}

extension LiveSession {
    /// - Returns: false for an event of the application's.
    func performLinks(
        _ event: ProductEvent, _ packet: SocketPacket, _ text: UnsafeRawBufferPointer, _ attachments: [ByteBuffer],
        isOverRate: Bool = false
    ) -> Bool {
        guard let service = self.loop.server.links, let connection = self.connection else { return false }
        let arguments = UnsafeRawBufferPointer(rebasing: text[packet.arguments])
        switch event {
        case .link:
            connection.takeLink(
                arguments, hasAttachments: !attachments.isEmpty, ackID: packet.ackID, isOverRate: isOverRate, service)
        case .peer:
            connection.takePeer(arguments, hasAttachments: !attachments.isEmpty, isOverRate: isOverRate, service)
        case .action, .chunk, .ice: return false
        }
        return true
    }

    /// A `link` or `peer` that is over its rate gets its answer, too (SPEC LK-16, LK-17).
    func refuseLinkOverRate(_ action: SocketAction, _ text: UnsafeRawBufferPointer) {
        switch action {
        case .event(_, let packet): self.refuseOverRate(packet, text, [])
        case .attached(_, let attached):
            attached.text.withUnsafeReadableBytes { self.refuseOverRate(attached.packet, $0, attached.attachments) }
        case .none, .connect, .connectError, .ack, .left, .malformedAction, .close: break
        }
    }

    private func refuseOverRate(
        _ packet: SocketPacket, _ text: UnsafeRawBufferPointer, _ attachments: [ByteBuffer]
    ) {
        guard let event = ProductEvent(packet, in: text) else { return }
        _ = self.performLinks(event, packet, text, attachments, isOverRate: true)
    }
}
