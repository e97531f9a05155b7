import Metrics
import NIOCore
import Routing
import Wire

extension LiveSession {
    /// Does what the namespace machine decided about a message.
    /// - Parameter text: the message that the action's ranges refer to.
    func perform(_ action: SocketAction, _ text: UnsafeRawBufferPointer) {
        switch action {
        case .none: break
        case .event(let slot, let packet):
            self.dispatch(LoopEvent(session: self, slot: slot, packet: packet, text: text, attachments: []))
        case .attached(let slot, let attached):
            guard attached.packet.kind == .binaryEvent || attached.packet.kind == .event else { return }
            attached.text.withUnsafeReadableBytes { text in
                self.dispatch(
                    LoopEvent(
                        session: self, slot: slot, packet: attached.packet, text: text,
                        attachments: attached.attachments))
            }
        case .ack:
            // No event of this version asks a client for an ack: what nobody waits for is ignored (SOCKETIO §10.3).
            break
        case .connect(let slot, let packet):
            let auth = UnsafeRawBufferPointer(rebasing: text[packet.payload])
            self.connect(slot, auth: auth)
        case .connectError(let packet, let refusal):
            self.send(.connectError(message: refusal.rawValue, namespace: packet.namespaceName(in: text)))
        case .left(let slot):
            self.left(slot, .clientNamespaceDisconnect)
        case .close(let reason):
            self.loop.server.metrics.protocolErrors.increment()
            self.close(reason)
        }
    }

    // MARK: Joining

    private func connect(_ slot: NamespaceSlot, auth payload: UnsafeRawBufferPointer) {
        let server = self.loop.server
        let name = self.sockets.name(of: slot)
        guard server.namespaces[name] != nil else {
            guard self.sockets.refuse(slot) else { return }
            return self.send(.connectError(message: ConnectRefusal.invalidNamespace.rawValue, namespace: name))
        }
        let auth = ConnectAuth(payload)
        if server.keepsAuth { self.auths[slot] = ByteBuffer(bytes: payload) }
        guard slot == .root else { return self.connectElsewhere(slot, auth) }
        guard let clusterNode = self.loop.clusterNode, clusterNode.mayAccept else {
            return self.refuseTemporarily(.unavailable, auth)
        }
        guard clusterNode.admission.hasRoom else { return self.refuseTemporarily(.busy, auth) }
        if let version = auth.version, version != ConnectAuth.supportedVersion {
            return self.refuseRoot(.version, isTemporary: false)
        }
        let connection = LiveConnection(session: self, clusterNode: clusterNode, auth: auth)
        self.connection = connection
        self.reschedule()
        let socket = connection.socket
        self.identify(auth) { session, finding in
            // The client may have left, and even come back, meanwhile.
            guard let connection = session.connection, connection.socket == socket else { return }
            switch finding {
            case .known(let identity): connection.commit(identity)
            case .guest where server.guestsMayConnect: connection.admitGuest()
            case .guest: session.refuseRoot(.login, isTemporary: false)
            case .foreign: session.refuseRoot(.foreign, isTemporary: false)
            case .unavailable: connection.giveUpConnecting(.unavailable)
            }
        }
    }

    /// A namespace of the application's: the same authentication, and no route (SPEC §8).
    private func connectElsewhere(_ slot: NamespaceSlot, _ auth: ConnectAuth) {
        let server = self.loop.server
        self.identify(auth) { session, finding in
            guard session.sockets.isPending(slot) else { return }
            let name = session.sockets.name(of: slot)
            let refusal: ConnectErrorCode
            switch finding {
            case .known: return session.acceptElsewhere(slot, name)
            case .guest where server.guestsMayConnect: return session.acceptElsewhere(slot, name)
            case .guest: refusal = .login
            case .foreign: refusal = .foreign
            case .unavailable: return session.close(.forcedClose)
            }
            if session.sockets.refuse(slot) {
                session.send(.connectError(message: refusal.rawValue, namespace: name))
            }
        }
    }

    private func acceptElsewhere(_ slot: NamespaceSlot, _ name: String) {
        guard self.sockets.accept(slot) else { return }
        self.send(.connect(sid: Base64URL.random128(), namespace: name))
        self.joined(slot, connection: nil)
    }

    /// Finds out who this is: at once where development mode believes, else by the session cookie.
    private func identify(_ auth: ConnectAuth, then: @escaping @Sendable (LiveSession, SocketFinding) -> Void) {
        let server = self.loop.server
        if let connection = self.connection, connection.phase == .ready {
            // Already known on `/`: the same person in another namespace.
            return then(self, connection.identity.map { .known($0) } ?? .guest)
        }
        if server.believesAuth, auth.user != nil {
            guard let identity = auth.believed(in: self.handshake.domain) else { return then(self, .guest) }
            return then(self, .known(identity))
        }
        guard server.allowsForeignSockets || self.handshake.origin != .foreign else { return then(self, .foreign) }
        guard let identifier = server.identifier else { return then(self, .guest) }
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        let handshake = self.handshake
        let isQueued = server.work.submit {
            let finding = await identifier(handshake, auth)
            bound.execute { then($0, finding) }
        }
        if !isQueued { then(self, .unavailable) }
    }

    /// The client is in: the application's own handler for that runs behind CONNECT.
    func joined(_ slot: NamespaceSlot, connection: LiveConnection?) {
        let auth = self.auths.removeValue(forKey: slot)
        guard let application = self.loop.server.namespaces[self.sockets.name(of: slot)] else { return }
        application.joined?(LoopSocket(session: self, slot: slot), auth ?? ByteBuffer())
    }

    // MARK: Refusing and leaving

    /// Ends a CONNECT to `/`. The session stays open, unless the refusal is temporary and goes by the transport.
    func refuseRoot(_ code: ConnectErrorCode, isTemporary: Bool) {
        self.loop.server.metrics.refused(code)
        let retries = self.connection?.speaksProduct ?? false
        self.connection?.end()
        self.connection = nil
        guard !isTemporary || retries else { return self.close(.forcedClose) }
        if self.sockets.refuse(.root) { self.send(.connectError(message: code.rawValue)) }
    }

    private func refuseTemporarily(_ code: ConnectErrorCode, _ auth: ConnectAuth) {
        self.loop.server.metrics.refused(code)
        guard auth.version != nil else { return self.close(.forcedClose) }
        if self.sockets.refuse(.root) { self.send(.connectError(message: code.rawValue)) }
    }

    private func left(_ slot: NamespaceSlot, _ reason: CloseReason) {
        guard slot == .root, let connection = self.connection else { return }
        connection.end()
        self.connection = nil
        self.loop.server.metrics.disconnected(reason)
        self.reschedule()
    }

    /// Ends the connection for a reason that the client is told (SPEC WS-0).
    func logout(_ reason: LogoutReason) {
        if let connection = self.connection, connection.speaksProduct, connection.phase == .ready {
            self.send(.logout(reason))
        }
        guard !reason.reconnects else { return self.close(.forcedClose) }
        if self.sockets.leave(.root, at: .now(), options: self.loop.server.socketOptions) {
            self.send(.disconnect())
        }
        self.left(.root, .serverNamespaceDisconnect)
        // With its identity gone the client has nothing to stay for.
        self.close(.forcedServerClose)
    }

    /// The node goes, or lets everybody go: the client is told, and comes back elsewhere (SPEC ND-12).
    func shutDown(_ reason: LogoutReason) {
        if self.connection == nil { self.close(.serverShuttingDown) } else { self.logout(reason) }
    }

    /// Runs an asynchronous handler behind those that wait already.
    func enqueueHandler(_ job: @escaping HandlerQueue.Job) {
        let handlers = self.handlers ?? self.makeHandlers()
        self.handlers = handlers
        if !handlers.add(job) { self.loop.server.metrics.handlersRefused.increment() }
    }

    private func makeHandlers() -> HandlerQueue {
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        return HandlerQueue(work: self.loop.server.work) { isReading in
            bound.execute { $0.setReading(isReading) }
        }
    }

    /// Too many events wait for asynchronous handlers, or there is room again: the peer's sending is held up, whichever
    /// transport it uses.
    private func setReading(_ isReading: Bool) {
        self.isPaused = !isReading
        self.webSocket?.setReading(isReading)
        guard isReading, let polling = self.polling, let post = polling.post, let body = polling.postBody else {
            return
        }
        polling.postBody = nil
        self.postCompleted(post, body: body)
    }

    /// The engine session has ended: whoever is in a namespace is told once.
    func announceEnd(_ reason: CloseReason) {
        if let connection = self.connection {
            self.connection = nil
            connection.end()
            self.loop.server.metrics.disconnected(reason)
        }
        self.sockets.end()
        self.auths = [:]
    }

    func sendReady(_ connection: LiveConnection) {
        guard let identity = connection.identity else { return }
        self.send(
            .ready(
                sid: connection.socket.text, endpoint: connection.endpoint, identity: identity,
                ping: self.loop.server.engineOptions.pingInterval))
    }

    // MARK: Events

    private func dispatch(_ event: borrowing LoopEvent) {
        guard let application = self.loop.server.namespaces[self.sockets.name(of: event.slot)],
            let handler = application.events.handler(for: event)
        else {
            self.loop.counters.unhandledEvents += 1
            return
        }
        handler(event)
    }
}
