import Metrics
import NIOCore
import Routing
import Wire

/// Connection state recovery: how a client is let back in, and how its position goes with what it is sent (SOCKETIO §14).
extension LiveConnection {
    // MARK: Coming back

    /// The client is back as the connection that it was. Before it is told so, it is given what it has missed: its route
    /// names this node by now, so whatever is sent from here on comes by itself, too (SOCKETIO §14.1.5).
    func readMissed(_ recovered: RecoveredConnection, _ identity: ConnectionIdentity) {
        guard let recovery = self.loop.server.recovery, let position = self.comeback?.position else {
            preconditionFailure("only what was asked for is recovered")
        }
        let query = RecoveryQuery(
            key: identity.key, client: identity.client, socket: recovered.socket, position: position,
            base: recovered.base, since: recovered.since, first: recovered.first, rooms: recovered.rooms,
            now: recovery.tracking.now())
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        let isQueued = self.loop.server.work.submit {
            do {
                let history = try await recovery.log.read(query, at: recovered.logPlace)
                bound.execute { $0.found(history, recovered, identity) }
            } catch {
                recovery.failed.increment()
                bound.execute { $0.startAnew(identity) }
            }
        }
        if !isQueued { self.giveUpConnecting(.busy) }
    }

    private func found(_ history: RecoveryHistory, _ recovered: RecoveredConnection, _ identity: ConnectionIdentity) {
        guard self.phase == .committing, let recovery = self.loop.server.recovery else { return }
        guard history.isComplete, let position = self.comeback?.position else {
            recovery.incomplete.increment()
            return self.startAnew(identity)
        }
        recovery.recovered.increment()
        self.comeback?.take(RecoveryGate(position: position, tracking: recovery.tracking), history)
        self.becomeReady()
    }

    /// What the client has missed is not known for certain: it gets a new connection, and is told so by that (SOCKETIO
    /// §14.1.6).
    func startAnew(_ identity: ConnectionIdentity) {
        guard self.phase == .committing else { return }
        self.comeback?.forget()
        self.leaveRooms()
        self.socket = self.prepared
        self.held.removeAll(where: \.isBroadcast)
        self.submit(.renew(self.entry(identity)), identity)
    }

    // MARK: Staying

    /// Whether events to this client carry its position.
    var isRecoverable: Bool { self.comeback != nil && self.phase == .ready && self.identity != nil }

    /// The event with the client's position as it is now (SOCKETIO §14.1.3).
    func stamp(_ packet: OutboundPacket) -> OutboundPacket {
        if let passed = self.comeback?.gate?.pass(packet, nil) { return passed }
        return self.loop.table.offset(for: self).map { packet.appendingOffset($0) } ?? packet
    }

    func write(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
        self.pass(packet, stamp)
        self.dropGate()
    }

    func pass(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
        guard self.comeback?.gate != nil else { return self.session.send(stamp?.stamped ?? packet) }
        // What was replayed comes again from nodes that sent it to this one as well.
        if let passed = self.comeback?.gate?.pass(packet, stamp?.mark) { self.session.send(passed) }
    }

    func dropGate() {
        guard let gate = self.comeback?.gate, self.loop.table.hasCaughtUp(self, with: gate) else { return }
        self.comeback?.gate = nil
        self.transportChanged()
    }
}
