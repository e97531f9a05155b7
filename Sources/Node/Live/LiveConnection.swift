import Metrics
import NIOCore
import Routing
import Wire

/// The connection of a session on `/`: an identity that is reachable while this lives (SPEC LC-5). Loop-bound.
final class LiveConnection: LiveSocket, LocalConnection {
    enum Phase {
        /// The session of the user is being read.
        case authenticating
        /// The route write is under way; events wait in ``held``.
        case committing
        case ready
        case ended
    }

    /// The SID that its client knows: ``prepared``, or the one that it has recovered.
    private(set) var socket: SocketID
    let prepared: SocketID
    var place = ConnectionPlace.nowhere
    private(set) var phase = Phase.authenticating
    /// When a connect that is not ready is given up (SPEC ND-15).
    private(set) var connectDeadline: NIODeadline?
    /// nil for a guest (conformance mode only): not reachable, no route.
    private(set) var identity: ConnectionIdentity?
    /// Whether the client speaks the product's own events (SPEC §8).
    let speaksProduct: Bool
    let endpoint: String
    let clusterNode: ClusterNode
    private var held: [HeldPacket] = []
    private var heldBytes = 0
    /// nil while connection state recovery is off.
    private var comeback: ConnectionReturn?

    private struct HeldPacket {
        let packet: OutboundPacket
        let stamp: RecoveryStamp?
        /// For a room or the namespace, not for the user: void for a client that turns out to be a new one.
        var isBroadcast = false
    }

    init(session: LiveSession, namespace: InstalledNamespace, clusterNode: ClusterNode, auth: ConnectAuth) {
        self.clusterNode = clusterNode
        self.prepared = .random(on: clusterNode.id)
        self.socket = self.prepared
        self.speaksProduct = auth.version != nil
        self.endpoint = auth.endpoint ?? Base64URL.random128()
        self.connectDeadline = .now() + session.loop.server.connectDeadline
        super.init(session: session, slot: .root, namespace: namespace)
        if session.loop.server.recovery != nil { self.comeback = ConnectionReturn(auth) }
        clusterNode.admission.enter()
    }

    private var loop: LiveLoop { self.session.loop }

    override var randomPart: UInt128 { self.socket.random }
    override var sid: String { self.socket.text }

    // MARK: Connecting

    /// The identity is known: into the index as pending, then the route write.
    func commit(_ identity: ConnectionIdentity) {
        guard self.phase == .authenticating else { return }
        self.phase = .committing
        self.identity = identity
        if self.loop.table.join(self, key: identity.key, client: identity.client) {
            self.clusterNode.index.note(identity.key, onLoop: self.loop.number, isHeld: true)
        }
        let entry = self.entry(identity)
        let change = self.loop.server.recovery.flatMap { self.comeback?.change(entry, $0) }
        self.submit(change ?? .connect(entry), identity)
        self.checkSession(identity)
    }

    private func entry(_ identity: ConnectionIdentity) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: self.prepared, node: self.clusterNode.id, client: identity.client, endpoint: self.endpoint,
            since: self.clusterNode.view.clusterTime, recovery: self.comeback.map { .init(pid: $0.ownHash) })
    }

    private func submit(_ change: RouteChange, _ identity: ConnectionIdentity) {
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        self.clusterNode.committer.submit(change, key: identity.key) { result in
            bound.execute { $0.committed(result) }
        }
    }

    /// An invalidation that came between the reading of the session and the entry in the index missed this connection
    /// (SPEC ID-13), so the session is looked at once more. Mostly the cache answers.
    private func checkSession(_ identity: ConnectionIdentity) {
        guard let session = identity.session else { return }
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        let server = self.loop.server
        let isQueued = server.work.submit {
            do {
                if try await server.isSessionActive(session.hash, identity.domain) { return }
                bound.execute { $0.end(.session) }
            } catch {
                bound.execute { $0.giveUpConnecting(.unavailable) }
            }
        }
        if !isQueued { self.giveUpConnecting(.busy) }
    }

    /// The session was replaced by another one of the same login (SPEC ID-10).
    func rebind(to session: ConnectionIdentity.Session) {
        self.identity = self.identity?.bound(to: session)
    }

    /// Without an identity there is no route: a guest is let in where guests may connect.
    func admitGuest() {
        guard self.phase == .authenticating else { return }
        self.becomeReady()
    }

    private func committed(_ result: Result<RouteOutcome, RouteError>) {
        guard self.phase == .committing, let identity = self.identity else { return }
        switch result {
        case .success(.connected(let superseded)):
            if !superseded.isEmpty { self.clusterNode.supersede(superseded, key: identity.key) }
            if self.comeback?.isAsked == true { self.loop.server.recovery?.unknown.increment() }
            self.becomeReady()
        case .success(.recovered(let recovered)):
            if !recovered.superseded.isEmpty { self.clusterNode.supersede(recovered.superseded, key: identity.key) }
            // From the old connection's lips to this one's: who ended it may have ended this, too.
            guard self.phase == .committing else { return }
            guard self.enterRooms(of: recovered) else { return self.startAnew(identity) }
            self.readMissed(recovered, identity)
        case .success(.refused), .failure(.busy), .failure(.limit):
            self.giveUpConnecting(.busy)
        case .success(.applied):
            preconditionFailure("a connect is answered with connected or refused")
        case .failure(.deadline), .failure(.cancelled), .failure(.refused), .failure(.closed):
            self.giveUpConnecting(.unavailable)
        }
    }

    /// The client is back as the connection that it was. Before it is told so, it is given what it has missed: its route
    /// names this node by now, so whatever is sent from here on comes by itself, too (SOCKETIO §14.1.5).
    private func readMissed(_ recovered: RecoveredConnection, _ identity: ConnectionIdentity) {
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
    private func startAnew(_ identity: ConnectionIdentity) {
        guard self.phase == .committing else { return }
        self.comeback?.forget()
        self.leaveRooms()
        self.socket = self.prepared
        self.held.removeAll(where: \.isBroadcast)
        self.submit(.renew(self.entry(identity)), identity)
    }

    private func becomeReady() {
        self.leaveAdmission()
        guard self.session.sockets.accept(.root) else { return self.end(isFinal: false) }
        self.phase = .ready
        // In one write: a client that got what it has missed, but not the answer, would be given that again.
        let missed = self.comeback?.replay() ?? []
        self.session.send(missed + [.connect(sid: self.sid, pid: self.comeback?.pid)])
        if self.speaksProduct { self.session.sendReady(self) }
        self.loop.server.metrics.connected.increment()
        if !self.loop.server.keepsHandshakes {
            self.session.handshake = self.session.handshake.withoutCredentials
        }
        self.session.joined(self)
        let held = self.held
        self.held = []
        self.heldBytes = 0
        // All of them by the gate: they were given to the device, too, and its position covers them.
        for held in held { self.pass(held.packet, held.stamp) }
        self.dropGate()
        self.transportChanged()
        if let identity = self.identity { self.loop.server.runLiveConnectionHook(self, identity) }
    }

    /// A temporary refusal: on the transport, unless the client is known to retry by itself (SPEC ND-13).
    func giveUpConnecting(_ code: ConnectErrorCode) {
        guard self.phase == .authenticating || self.phase == .committing else { return }
        self.session.refuseRoot(code, isTemporary: true)
    }

    private func leaveAdmission() {
        guard self.connectDeadline != nil else { return }
        self.connectDeadline = nil
        self.clusterNode.admission.leave()
    }

    /// The session got another transport: WebSocket members share frames, all others take packets one by one.
    func transportChanged() {
        guard self.phase == .ready, self.identity != nil else { return }
        self.loop.table.setStreaming(self, self.session.isStreaming && self.comeback?.gate == nil)
    }

    // MARK: Ending

    /// Leaves the index and queues the removal behind whatever write is under way (SPEC LC-5). Idempotent.
    /// - Parameter isFinal: the client is not to come back as this connection (SOCKETIO §14.2).
    func end(isFinal: Bool) {
        guard self.phase != .ended else { return }
        let wasCommitting = self.phase != .authenticating
        // A client that was never told its private ID cannot come back by it.
        let isFinal = isFinal || (self.phase != .ready && self.comeback?.isAsked != true)
        self.phase = .ended
        self.leaveAdmission()
        self.leaveRooms()
        self.held = []
        guard let identity = self.identity, wasCommitting else { return }
        if self.place.isSeated, self.loop.table.leave(self) {
            self.clusterNode.index.note(identity.key, onLoop: self.loop.number, isHeld: false)
        }
        let metrics = self.loop.server.metrics
        self.clusterNode.committer.submit(
            .disconnect(self.prepared, node: self.clusterNode.id, isFinal: isFinal), key: identity.key
        ) { result in
            // `closed`: the incarnation is over, and its entries are the reaper's (ND-4).
            if case .failure(let error) = result, error != .closed { metrics.failedRemovals.increment() }
        }
    }

    func end(_ reason: LogoutReason) {
        guard self.phase != .ended else { return }
        self.session.logout(reason)
    }

    // MARK: From the table

    func transmit(_ frames: NIOAny) {
        self.session.webSocket?.transmit(frames)
    }

    func offer(_ packet: OutboundPacket, _ mode: Delivery) {
        switch (self.phase, mode) {
        case (.ready, _): self.session.send(packet, mode)
        // It will be able to take it in a moment: the latest one is the last that waits.
        case (_, .latest), (_, .required): self.enqueue(packet, nil)
        case (_, .volatile): self.loop.counters.volatileDropped += 1
        }
    }

    func enqueue(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
        guard self.phase != .ready else { return self.write(packet, stamp) }
        self.hold(HeldPacket(packet: packet, stamp: stamp))
    }

    private func hold(_ packet: HeldPacket) {
        // Bounded like the queue of any other socket.
        self.heldBytes += packet.packet.byteCount + PollingQueue.packetOverhead
        guard self.heldBytes <= self.loop.server.engineOptions.maxQueuedBytes else { return self.session.endAsSlow() }
        self.held.append(packet)
    }

    // MARK: Connection state recovery

    /// Whether events to this client carry its position.
    var isRecoverable: Bool { self.comeback != nil && self.phase == .ready && self.identity != nil }

    /// The event with the client's position as it is now (SOCKETIO §14.1.3).
    func stamp(_ packet: OutboundPacket) -> OutboundPacket {
        if let passed = self.comeback?.gate?.pass(packet, nil) { return passed }
        return self.loop.table.offset(for: self).map { packet.appendingOffset($0) } ?? packet
    }

    private func write(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
        self.pass(packet, stamp)
        self.dropGate()
    }

    private func pass(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) {
        guard self.comeback?.gate != nil else { return self.session.send(stamp?.stamped ?? packet) }
        // What was replayed comes again from nodes that sent it to this one as well.
        if let passed = self.comeback?.gate?.pass(packet, stamp?.mark) { self.session.send(passed) }
    }

    private func dropGate() {
        guard let gate = self.comeback?.gate, self.loop.table.hasCaughtUp(self, with: gate) else { return }
        self.comeback?.gate = nil
        self.transportChanged()
    }

    // MARK: Rooms

    override var isJoined: Bool { self.phase == .ready && self.seat >= 0 }

    /// Before what it has missed is read, so that no broadcast falls between (SOCKETIO §14.3).
    /// - Returns: false where it may not be in all of them here.
    private func enterRooms(of recovered: RecoveredConnection) -> Bool {
        self.socket = recovered.socket
        self.loop.rooms.add(self, to: self.scope)
        do {
            try self.loop.rooms[self.scope]?.join(self, recovered.rooms, limits: self.loop.server.roomLimits)
            return true
        } catch {
            return false
        }
    }

    private func leaveRooms() {
        if self.seat >= 0 { self.loop.rooms.remove(self, from: self.scope) }
    }

    override func emit(_ packet: SharedPacket, _ delivery: Delivery, _ mark: RecoveryMark?) {
        let stamp = mark.map { RecoveryStamp(mark: $0, stamped: packet.packet) }
        switch (self.phase, delivery) {
        case (.ready, _):
            guard stamp != nil, self.comeback?.gate != nil else { return super.emit(packet, delivery, mark) }
            self.write(packet.packet, stamp)
        case (_, .volatile): self.loop.counters.volatileDropped += 1
        // It is back in its rooms, and its client is about to hear so.
        case (_, .required), (_, .latest):
            self.hold(HeldPacket(packet: packet.packet, stamp: stamp, isBroadcast: true))
        }
    }

    override func emit(
        _ packet: SharedPacket, ackID id: Int64, until deadline: NIODeadline, answer: @escaping (AckAnswer) -> Void
    ) {
        guard self.phase == .ready else { return answer(.none(.disconnected)) }
        super.emit(packet, ackID: id, until: deadline, answer: answer)
    }

    /// Into the route, so that whichever node the client comes back to knows them.
    override func roomsChanged(_ done: @escaping @Sendable () -> Void) {
        guard let identity = self.identity, let recovery = self.loop.server.recovery, self.seat >= 0,
            self.comeback?.keepsRooms == true
        else { return done() }
        let rooms = self.rooms.map(\.name)
        if !RouteRecovery.takes(rooms: rooms) {
            self.comeback?.keepsRooms = false
            recovery.roomsExceeded.increment()
        }
        self.clusterNode.committer.submit(
            .setRooms(rooms, of: self.prepared, node: self.clusterNode.id), key: identity.key
        ) { result in
            // `closed`: the incarnation is over, and so is this socket.
            if case .failure(let error) = result, error != .closed { recovery.roomsFailed.increment() }
            done()
        }
    }
}

extension NIOLoopBound {
    /// Runs `body` on the value's loop: at once when called there.
    func execute(_ body: @escaping @Sendable (Value) -> Void) {
        if self.eventLoop.inEventLoop {
            body(self.value)
        } else {
            self.eventLoop.execute { body(self.value) }
        }
    }
}
