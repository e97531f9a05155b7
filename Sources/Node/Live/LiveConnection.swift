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

    let socket: SocketID
    /// Nothing is recovered yet.
    var prepared: SocketID { self.socket }
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
    private var held: [OutboundPacket] = []
    private var heldBytes = 0

    init(session: LiveSession, namespace: InstalledNamespace, clusterNode: ClusterNode, auth: ConnectAuth) {
        self.clusterNode = clusterNode
        self.socket = .random(on: clusterNode.id)
        self.speaksProduct = auth.version != nil
        self.endpoint = auth.endpoint ?? Base64URL.random128()
        self.connectDeadline = .now() + session.loop.server.connectDeadline
        super.init(session: session, slot: .root, namespace: namespace)
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
        let entry = RouteDocument.Connection(
            socket: self.socket, node: self.clusterNode.id, client: identity.client, endpoint: self.endpoint,
            since: self.clusterNode.view.clusterTime)
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        self.clusterNode.committer.submit(.connect(entry), key: identity.key) { result in
            bound.execute { $0.committed(result) }
        }
        self.checkSession(identity)
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
            self.becomeReady()
        case .success(.refused), .failure(.busy), .failure(.limit):
            self.giveUpConnecting(.busy)
        case .success(.applied), .success(.recovered):
            preconditionFailure("a connect is answered with connected or refused")
        case .failure(.deadline), .failure(.cancelled), .failure(.refused), .failure(.closed):
            self.giveUpConnecting(.unavailable)
        }
    }

    private func becomeReady() {
        self.leaveAdmission()
        guard self.session.sockets.accept(.root) else { return self.end() }
        self.phase = .ready
        self.session.send(.connect(sid: self.socket.text))
        if self.speaksProduct { self.session.sendReady(self) }
        self.loop.server.metrics.connected.increment()
        if !self.loop.server.keepsHandshakes {
            self.session.handshake = self.session.handshake.withoutCredentials
        }
        self.session.joined(self)
        for packet in self.held { self.session.send(packet) }
        self.held = []
        self.heldBytes = 0
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
        self.loop.table.setStreaming(self, self.session.isStreaming)
    }

    // MARK: Ending

    /// Leaves the index and queues the removal behind whatever write is under way (SPEC LC-5). Idempotent.
    func end() {
        guard self.phase != .ended else { return }
        let wasCommitting = self.phase != .authenticating
        self.phase = .ended
        self.leaveAdmission()
        self.held = []
        guard let identity = self.identity, wasCommitting else { return }
        if self.place.isSeated, self.loop.table.leave(self) {
            self.clusterNode.index.note(identity.key, onLoop: self.loop.number, isHeld: false)
        }
        let metrics = self.loop.server.metrics
        self.clusterNode.committer.submit(
            .disconnect(self.socket, node: self.clusterNode.id), key: identity.key
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
        let packet = stamp?.stamped ?? packet
        guard self.phase != .ready else { return self.session.send(packet) }
        // Bounded like the queue of any other socket.
        self.heldBytes += packet.byteCount + PollingQueue.packetOverhead
        guard self.heldBytes <= self.loop.server.engineOptions.maxQueuedBytes else { return self.session.endAsSlow() }
        self.held.append(packet)
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
