import Metrics
import NIOCore
import Routing
import Wire

/// The connection of a session on `/`: an identity that is reachable while this lives (SPEC LC-5). Loop-bound.
///
/// How it comes back is in `LiveConnection+Recovery.swift`, its rooms in `LiveConnection+Rooms.swift`.
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
    var socket: SocketID
    /// The one that was made for it.
    var prepared: SocketID { self.comeback?.prepared ?? self.socket }
    var place = ConnectionPlace.nowhere
    // Small ones together: there are as many of these objects as connections.
    private(set) var phase = Phase.authenticating
    /// Whether the client speaks the product's own events (SPEC §8).
    let speaksProduct: Bool
    /// Why the service ends it, once it does.
    var leaving: Leaving?
    /// What its client is told of that.
    var logoutReason: LogoutReason?
    /// Whether a new token of its is being looked at.
    var isTakingToken = false
    /// When a connect that is not ready is given up (SPEC ND-15).
    private(set) var connectDeadline: NIODeadline?
    /// Its node has nothing to do for it meanwhile.
    override var isWaiting: Bool {
        didSet {
            guard self.isWaiting != oldValue, self.connectDeadline != nil else { return }
            if self.isWaiting {
                self.clusterNode.admission.beginWaiting()
            } else {
                self.clusterNode.admission.endWaiting()
            }
        }
    }
    /// Whether it gets the `logout` event: plain clients do, too (SPEC §8), but no client of the official suites.
    var isToldWhy: Bool { self.phase == .ready && (self.speaksProduct || self.loop.server.sendsProductEvents) }
    /// ``RouteDocument/Connection/endpoint``.
    let endpoint: String
    let clusterNode: ClusterNode
    /// What came before it was ready, within the bytes of any socket's queue.
    var held: [HeldPacket] = []
    private var heldBytes = 0
    /// nil while connection state recovery is off.
    var comeback: ConnectionReturn?
    /// Who waits for the end of the Links that end with it.
    var linkWaiters: [@Sendable () -> Void] = []
    /// Its Links, once it has asked for one.
    var links: LinkDesk?
    /// Its actions, once there was one.
    var desk: ActionDesk?

    init(session: LiveSession, namespace: InstalledNamespace, clusterNode: ClusterNode, auth: ConnectAuth) {
        self.clusterNode = clusterNode
        self.socket = .random(on: clusterNode.id, using: &session.loop.random)
        self.speaksProduct = auth.version != nil
        self.endpoint = auth.endpoint ?? (self.speaksProduct ? Base64URL.random128() : "")
        self.connectDeadline = .now() + session.loop.server.connectDeadline
        super.init(session: session, slot: .root, namespace: namespace)
        if session.loop.server.recovery != nil { self.comeback = ConnectionReturn(auth, of: self.socket) }
        clusterNode.admission.enter()
    }

    var loop: LiveLoop { self.session.loop }

    var endpointText: String { self.endpoint.isEmpty ? self.socket.text : self.endpoint }

    override var randomPart: UInt128 { self.socket.random }
    override var sid: String { self.socket.text }

    // MARK: Connecting

    /// The identity is known: into the index as pending, then the route write.
    func commit(_ identity: ConnectionIdentity) {
        guard self.phase == .authenticating else { return }
        self.phase = .committing
        self.identity = identity
        self.session.traffic.connections += 1
        if self.loop.table.join(self, key: identity.key, client: identity.client),
            self.clusterNode.index.note(identity.key, onLoop: self.loop.number, isHeld: true)
        {
            self.session.traffic.users += 1
        }
        let entry = self.entry(identity)
        let change = self.loop.server.recovery.flatMap { self.comeback?.change(entry, $0) }
        self.submit(change ?? .connect(entry), identity)
        self.checkSession(identity)
    }

    func entry(_ identity: ConnectionIdentity) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: self.prepared, node: self.clusterNode.id, client: identity.client, endpoint: self.endpoint,
            since: self.clusterNode.view.clusterTime,
            takesRosters: self.speaksProduct && self.clusterNode.links != nil,
            recovery: self.comeback.map { .init(pid: $0.ownHash) })
    }

    func submit(_ change: RouteChange, _ identity: ConnectionIdentity) {
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        self.loop.commit(change, key: identity.key, to: self.clusterNode.committer) { result in
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

    override var mayBeAsked: Bool { self.speaksProduct }

    override func endAuthority(_ reason: LogoutReason) { self.end(reason) }

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
        case .success(.settled), .success(.linked), .success(.applied):
            preconditionFailure("a connect is answered with connected or refused")
        case .failure(.deadline), .failure(.cancelled), .failure(.refused), .failure(.closed):
            self.giveUpConnecting(.unavailable)
        }
    }

    func becomeReady() {
        self.leaveAdmission(isDone: true)
        guard self.session.sockets.accept(.root) else { return self.end(isFinal: false, .lost) }
        self.phase = .ready
        self.session.joining { self.greet() }
        self.dropGate()
        self.transportChanged()
        self.watchAuthority()
        guard let identity = self.identity else { return }
        self.loop.server.runLiveConnectionHook(self, identity)
        self.joinLinks()
    }

    /// What a client gets as soon as it is connected.
    private func greet() {
        // In one write: a client that got what it has missed, but not the answer, would be given that again.
        let missed = self.comeback?.replay() ?? []
        self.session.send(missed + [.connect(sid: self.sid, pid: self.comeback?.pid)])
        if self.speaksProduct { self.session.sendReady(self) }
        self.loop.server.metrics.connected.increment()
        self.session.traffic.counts.connects += 1
        if !self.loop.server.keepsHandshakes {
            self.session.handshake = self.loop.rest(of: self.session.handshake)
        }
        self.session.joined(self)
        let held = self.held
        self.held = []
        self.heldBytes = 0
        // All of them by the gate: they were given to the device, too, and its position covers them.
        for held in held { self.pass(held.packet, held.stamp) }
    }

    /// A temporary refusal: on the transport, unless the client is known to retry by itself (SPEC ND-13).
    func giveUpConnecting(_ code: ConnectErrorCode) {
        guard self.phase == .authenticating || self.phase == .committing else { return }
        self.session.refuseRoot(code, isTemporary: true)
    }

    private func leaveAdmission(isDone: Bool = false) {
        guard self.connectDeadline != nil else { return }
        self.connectDeadline = nil
        self.clusterNode.admission.leave(isDone: isDone, isWaiting: self.isWaiting)
    }

    /// The session got another transport: WebSocket members share frames, all others take packets one by one.
    func transportChanged() {
        guard self.phase == .ready, self.identity != nil else { return }
        self.loop.table.setStreaming(self, self.session.isStreaming && self.comeback?.gate == nil)
    }

    // MARK: Ending

    /// Leaves the index and queues the removal behind whatever write is under way (SPEC LC-5). Idempotent.
    /// - Parameters:
    ///   - isFinal: the client is not to come back as this connection (SOCKETIO §14.2).
    ///   - leaving: how, unless it is known better already.
    func end(isFinal: Bool, _ leaving: Leaving) {
        guard self.phase != .ended else { return }
        let wasCommitting = self.phase != .authenticating
        // A client that was never told its private ID cannot come back by it.
        let isFinal = isFinal || (self.phase != .ready && self.comeback?.isAsked != true)
        self.phase = .ended
        self.leaveAdmission()
        self.leaveRooms()
        self.held = []
        self.desk?.end()
        self.leaveLinks()
        let waiters = self.linkWaiters
        self.linkWaiters = []
        guard let identity = self.identity, wasCommitting else {
            for waiter in waiters { waiter() }
            return
        }
        if self.place.isSeated {
            self.session.traffic.connections -= 1
            if self.loop.table.leave(self),
                self.clusterNode.index.note(identity.key, onLoop: self.loop.number, isHeld: false)
            {
                self.session.traffic.users -= 1
            }
        }
        let metrics = self.loop.server.metrics
        let clusterNode = self.clusterNode
        let graces = self.loop.server.graces
        let how = self.leaving ?? leaving
        self.loop.commit(
            .disconnect(
                self.prepared, node: clusterNode.id, isFinal: isFinal, grace: graces.grace(for: how),
                links: graces.departure(for: how, self.logoutReason)),
            key: identity.key, to: clusterNode.committer
        ) { result in
            clusterNode.whenLinksClosed(identity.key, waiters)
            // `closed`: the incarnation is over, and its entries are the reaper's (ND-4).
            if case .failure(let error) = result, error != .closed { metrics.failedRemovals.increment() }
        }
    }

    override func whenLinksClosed(_ body: @escaping @Sendable () -> Void) {
        guard self.phase != .ended, self.clusterNode.links != nil else { return body() }
        self.linkWaiters.append(body)
    }

    func end(_ reason: LogoutReason) {
        guard self.phase != .ended, self.desk?.defers(reason) != true else { return }
        self.session.logout(reason)
    }

    // MARK: From the table

    func transmit(_ frames: NIOAny, packets: Int, bytes: Int) {
        self.loop.counters.packetsOut += packets
        self.session.traffic.counts.eventsOut += packets
        self.session.traffic.counts.bytesOut += bytes
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

    var hasWrittenAll: Bool {
        guard self.phase == .ready, self.session.engine.isOpen else { return false }
        if let webSocket = self.session.webSocket { return webSocket.isDrained }
        return self.session.polling?.queue.isEmpty ?? false
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

    // MARK: Rooms

    override var isJoined: Bool { self.phase == .ready && self.seat >= 0 }

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

    override func roomsChanged(_ done: @escaping @Sendable () -> Void) { self.keepRooms(done) }
}
