import Metrics
import NIOCore
import Routing
import Wire

/// What the parties of a Link say to each other, from connection to connection (SPEC LK-9, LK-10).
extension LinkBroker {
    /// What becomes of a signal that was handed over.
    enum Handover: Sendable, Equatable {
        case done
        /// The node of its SID is not known here: look it up, and hand it over again.
        case unknown(NodeID)
        case refused(LinkError)
    }

    /// Sends a packet to one connection. Packets that are handed over by one loop arrive in that order.
    /// - Parameter failed: called where it could not be handed to the other node.
    func hand(
        _ signal: PeerSignal, to socket: SocketID, of key: RouteKey, failed: @escaping @Sendable (LinkError) -> Void
    ) -> Handover {
        if socket.node == self.around.node {
            self.deliver(signal, key, from: self.around.node) {}
            return .done
        }
        guard let record = self.around.membership.record(of: socket.node) else { return .unknown(socket.node) }
        guard record.state < .claimed else { return self.around.recovers ? .unknown(socket.node) : .refused(.offline) }
        return self.publish(signal, key, to: record, failed: failed)
    }

    private func publish(
        _ signal: PeerSignal, _ key: RouteKey, to record: NodeRecord, failed: @escaping @Sendable (LinkError) -> Void
    ) -> Handover {
        do {
            let message = BusMessage(kind: .peer, key: key.text, payload: try signal.encode())
            self.around.messenger.adapter.publish(message, to: record) { error in
                switch error {
                case nil: break
                case .targetGone?: failed(.offline)
                case .backlog?, .closed?, .tooLarge?: failed(.busy)
                }
            }
            return .done
        } catch {
            return .refused(.invalid)
        }
    }

    /// The node of the SID is not known, or dead: perhaps it came a moment ago, or the connection has moved.
    func find(
        _ signal: PeerSignal, _ node: NodeID, of key: RouteKey, failed: @escaping @Sendable (LinkError) -> Void
    ) async -> Handover {
        if let record = await self.around.membership.resolve(node), record.state < .claimed {
            return self.publish(signal, key, to: record, failed: failed)
        }
        guard let place = await self.place(of: signal, key) else { return .refused(.offline) }
        if place == self.around.node {
            self.deliver(signal, key, from: place) {}
            return .done
        }
        guard let record = await self.around.membership.resolve(place), record.state < .claimed else {
            return .refused(.offline)
        }
        return self.publish(signal, key, to: record, failed: failed)
    }

    /// Where the connection is that a signal is for, by its route; nil where it is nowhere, or cannot have moved.
    private func place(of signal: PeerSignal, _ key: RouteKey) async -> NodeID? {
        guard self.around.recovers else { return nil }
        do {
            return try await self.routes([key])[key]?.live.first { $0.socket.text == signal.to }?.node
        } catch {
            self.failed(error)
            return nil
        }
    }

    /// Gives a signal to the connection of this node that it is for, if that is of the party.
    /// - Parameters:
    ///   - sender: the node that hears where nobody is there.
    ///   - done: called once, when the loops have taken it.
    func deliver(
        _ signal: PeerSignal, _ key: RouteKey, from sender: NodeID, done: @escaping @Sendable () -> Void
    ) {
        let packet = OutboundPacket(text: signal.packet)
        self.around.index.visit(key) { table in
            for connection in table.connections(of: key, client: signal.client)
            where connection.socket.text == signal.to {
                guard let connection = connection as? LiveConnection, connection.speaksProduct else { continue }
                connection.takeAboutLink(packet)
                return 1
            }
            return 0
        } completion: { count in
            if count == 0 { self.undeliverable(signal, key, from: sender) } else { self.metrics.signals.increment() }
            done()
        }
    }

    private func undeliverable(_ signal: PeerSignal, _ key: RouteKey, from sender: NodeID) {
        guard let address = signal.address else { return }
        guard self.around.recovers, !signal.isForwarded else { return self.answer(.offline, signal, address, sender) }
        let isQueued = self.around.work.submit {
            guard let place = await self.place(of: signal, key), place != self.around.node else {
                return self.answer(.offline, signal, address, sender)
            }
            var forwarded = signal
            forwarded.isForwarded = true
            self.metrics.forwarded.increment()
            self.send(.peer, key, to: place) { () throws(EnvelopeError) in try forwarded.encode() }
        }
        if !isQueued { self.answer(.busy, signal, address, sender) }
    }

    /// Tells the sender.
    private func answer(
        _ error: LinkError, _ signal: PeerSignal, _ address: PeerSignal.ReturnAddress, _ sender: NodeID
    ) {
        guard let key = RouteKey(address.sender) else { return }
        self.metrics.failed(error)
        let packet = OutboundPacket.peerError(token: address.token, to: signal.to, error)
        let answer = PeerSignal(to: address.from, client: nil, address: nil, packet: packet.text)
        if sender == self.around.node {
            self.deliver(answer, key, from: sender) {}
        } else {
            self.send(.peer, key, to: sender) { () throws(EnvelopeError) in try answer.encode() }
        }
    }

    // MARK: From the bus

    /// A message of another node: `peer`, `roster` or `link`.
    /// - Parameter done: called once, when the loops have taken it. Not where it throws.
    func receive(
        _ message: BusMessage, from sender: NodeID, done: @escaping @Sendable () -> Void
    ) throws(EnvelopeError) {
        guard let key = RouteKey(message.key) else { throw .missingField("key") }
        switch message.kind {
        case .peer:
            let signal = try PeerSignal.decode(message.payload)
            if let address = signal.address, RouteKey(address.sender)?.domain != key.domain {
                throw .missingField("sender")
            }
            // Of a forwarded one the sender is where it was before.
            let origin = signal.isForwarded ? signal.address.flatMap { SocketID($0.from)?.node } : sender
            self.deliver(signal, key, from: origin ?? sender, done: done)
        case .roster: self.apply(try PeerRoster.decode(message.payload), key, done: done)
        case .link: self.apply(try LinkNotice.decode(message.payload), key, done: done)
        case .event, .room, .kick, .invalidate, .ack, .config, .probe: preconditionFailure("no message about a link")
        }
    }
}
