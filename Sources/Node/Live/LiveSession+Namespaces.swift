import Logging
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
        case .event(let slot, let packet): self.dispatch(slot, packet, text)
        case .attached(let slot, let attached):
            attached.text.withUnsafeReadableBytes { text in
                switch attached.packet.kind {
                case .event, .binaryEvent: self.dispatch(slot, attached.packet, text, attached.attachments)
                case .ack, .binaryAck: self.acknowledged(slot, attached.packet, text, attached.attachments)
                case .connect, .disconnect, .connectError: break
                }
            }
        case .ack(let slot, let packet): self.acknowledged(slot, packet, text)
        case .malformedAction(let id):
            if let limit = self.sockets.fault.flatMap(Limit.init) { self.loop.server.metrics.hit(limit) }
            self.connection?.actionDesk()?.takeMalformed(ackID: id)
        case .connect(let slot, let packet):
            let auth = UnsafeRawBufferPointer(rebasing: text[packet.payload])
            self.connect(slot, auth: auth)
        case .connectError(let packet, let refusal):
            if let limit = Limit(refusal) { self.loop.server.metrics.hit(limit) }
            self.send(.connectError(message: refusal.rawValue, namespace: packet.namespaceName(in: text)))
        case .left(let slot):
            self.stopJoining(slot)
            if let socket = self.socket(slot) { self.left(socket, .clientNamespaceDisconnect) }
        case .close(let reason):
            self.loop.server.metrics.protocolErrors.increment()
            if let limit = self.sockets.fault.flatMap(Limit.init) { self.loop.server.metrics.hit(limit) }
            self.close(reason)
        }
    }

    /// The socket of a namespace that has been joined.
    func socket(_ slot: NamespaceSlot) -> LiveSocket? { slot == .root ? self.connection : self.elsewhere[slot] }

    private func dispatch(
        _ slot: NamespaceSlot, _ packet: SocketPacket, _ text: UnsafeRawBufferPointer, _ attachments: [ByteBuffer] = []
    ) {
        self.traffic.counts.eventsIn += 1
        if slot == .root, self.performProduct(packet, text, attachments) { return }
        guard let socket = self.socket(slot) else { return }
        let event = LoopEvent(session: self, socket: socket, packet: packet, text: text, attachments: attachments)
        guard let handler = socket.namespace.application.events.handler(for: event) else {
            self.loop.counters.unhandledEvents += 1
            return
        }
        handler(event)
    }

    private func acknowledged(
        _ slot: NamespaceSlot, _ packet: SocketPacket, _ text: UnsafeRawBufferPointer, _ attachments: [ByteBuffer] = []
    ) {
        guard let id = packet.ackID, let socket = self.socket(slot) else { return }
        socket.answered(
            id,
            RoomReply.Item(
                text: ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: text[packet.arguments])),
                attachments: attachments))
    }

    // MARK: Joining

    private func connect(_ slot: NamespaceSlot, auth payload: UnsafeRawBufferPointer) {
        let server = self.loop.server
        let name = self.sockets.name(of: slot)
        let auth = ConnectAuth(payload)
        let kept = server.keepsAuth ? ConnectAuth.payload(payload, without: server.withheldAuth) : ByteBuffer()
        if server.keepsAuth { self.auths[slot] = kept }
        if let namespace = server.namespaces[name] { return self.connect(slot, auth, to: namespace) }
        guard !server.patterns.isEmpty else { return self.refuse(slot, ConnectRefusal.invalidNamespace.rawValue) }
        let isQueued = self.work(on: slot) { () async throws -> InstalledNamespace? in
            let value = JSONValue(auth: kept)
            for pattern in server.patterns {
                if try await pattern.accepts(name, value) { return pattern.installed }
            }
            return nil
        } then: { session, found in
            guard let found else { return session.refuse(slot, ConnectRefusal.invalidNamespace.rawValue) }
            guard server.children.mayAdd(name) else {
                server.metrics.hit(.dynamicNamespaces)
                return session.refuse(slot, ConnectRefusal.invalidNamespace.rawValue)
            }
            session.connect(slot, auth, to: found)
        }
        if !isQueued { self.refuseTemporarily(slot, .busy, auth) }
    }

    private func connect(_ slot: NamespaceSlot, _ auth: ConnectAuth, to namespace: InstalledNamespace) {
        let server = self.loop.server
        guard slot == .root else { return self.connectElsewhere(slot, auth, to: namespace) }
        guard let clusterNode = self.loop.clusterNode, clusterNode.mayAccept else {
            return self.refuseTemporarily(slot, .unavailable, auth)
        }
        guard clusterNode.admission.hasRoom else { return self.refuseTemporarily(slot, .busy, auth) }
        if let version = auth.version, version != ConnectAuth.supportedVersion {
            return self.refuseRoot(.version, isTemporary: false)
        }
        let connection = LiveConnection(session: self, namespace: namespace, clusterNode: clusterNode, auth: auth)
        self.connection = connection
        self.reschedule()
        let socket = connection.socket
        self.identify(auth) { session, finding in
            // The client may have left, and even come back, meanwhile.
            guard let connection = session.connection, connection.socket == socket else { return }
            switch finding {
            case .known(let identity):
                session.askMiddleware(connection, identity) { connection in connection.commit(identity) }
            case _ where server.liveRequires.admits(finding):
                session.askMiddleware(connection, nil) { connection in connection.admitGuest() }
            case .guest, .idle, .refused: session.refuseRoot(.login, isTemporary: false)
            case .foreign: session.refuseRoot(.foreign, isTemporary: false)
            case .unavailable: connection.giveUpConnecting(.unavailable)
            }
        }
    }

    /// A namespace of the application's: the same authentication, and no route (SPEC §8).
    private func connectElsewhere(_ slot: NamespaceSlot, _ auth: ConnectAuth, to namespace: InstalledNamespace) {
        let server = self.loop.server
        self.identify(auth) { session, finding in
            guard session.sockets.isPending(slot) else { return }
            switch finding {
            case .known(let identity): session.admit(slot, identity, to: namespace)
            case _ where server.liveRequires.admits(finding): session.admit(slot, nil, to: namespace)
            case .guest, .idle, .refused: session.refuse(slot, ConnectErrorCode.login.rawValue)
            case .foreign: session.refuse(slot, ConnectErrorCode.foreign.rawValue)
            case .unavailable: session.close(.forcedClose)
            }
        }
    }

    private func admit(_ slot: NamespaceSlot, _ identity: ConnectionIdentity?, to namespace: InstalledNamespace) {
        let socket = NamespaceSocket(session: self, slot: slot, namespace: namespace, identity: identity)
        self.joining[slot] = socket
        // A kick or logout finds it from here on; one that came before is seen by the look that follows.
        self.loop.addOutside(socket)
        self.checkSession(socket)
        self.askMiddleware(socket, identity) { socket in
            let session = socket.session
            guard session.joining[slot] === socket, session.sockets.accept(slot) else {
                return session.stopJoining(slot)
            }
            session.joining[slot] = nil
            session.elsewhere[slot] = socket
            session.send(.connect(sid: socket.sid, namespace: session.sockets.name(of: slot)))
            session.joined(socket)
            socket.watchAuthority()
        }
    }

    /// An invalidation between the reading of the session and ``LiveLoop/addOutside(_:)`` missed this socket (SPEC ID-13).
    private func checkSession(_ socket: NamespaceSocket) {
        guard let identity = socket.identity, let session = identity.session else { return }
        let server = self.loop.server
        let bound = LoopSocket(socket)
        let isQueued = server.work.submit {
            do {
                if try await server.isSessionActive(session.hash, identity.domain) { return }
                bound.onLoop { $0.endAuthority(.session) }
            } catch {
                bound.onLoop { $0.endAuthority(.node) }
            }
        }
        if !isQueued { socket.endAuthority(.node) }
    }

    /// A socket that waited to be let in is not.
    func stopJoining(_ slot: NamespaceSlot) {
        if let socket = self.joining.removeValue(forKey: slot) { self.loop.removeOutside(socket) }
    }

    /// Lets the application's middleware decide, in the order of its registration (SOCKETIO §11.5).
    private func askMiddleware<Joining: LiveSocket>(
        _ socket: Joining, _ identity: ConnectionIdentity?, then: @escaping @Sendable (Joining) -> Void
    ) {
        let application = socket.namespace.application
        guard application.needsHandshake else { return then(socket) }
        let slot = socket.slot
        let handshake = SocketHandshake(
            self.handshake, namespace: self.sockets.name(of: slot), identity: identity,
            auth: JSONValue(auth: self.auths[slot] ?? ByteBuffer()))
        socket.handshake = handshake
        guard !application.middleware.isEmpty else { return then(socket) }
        socket.isWaiting = true
        let bound = NIOLoopBound(socket, eventLoop: self.loop.eventLoop)
        let isQueued = self.work(on: slot) {
            for middleware in application.middleware { try await middleware(handshake) }
        } then: { _, _ in
            bound.value.isWaiting = false
            then(bound.value)
        }
        if !isQueued { self.refuseTemporarily(slot, .busy, nil) }
    }

    /// Asks the application about a CONNECT that waits, and goes on here unless the client has gone meanwhile: then its socket
    /// is dropped silently (SOCKETIO §11.6). What the application throws is the refusal.
    private func work<Answer: Sendable>(
        on slot: NamespaceSlot, _ body: @escaping @Sendable () async throws -> Answer,
        then: @escaping @Sendable (LiveSession, Answer) -> Void
    ) -> Bool {
        let server = self.loop.server
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        let overdue = self.loop.eventLoop.assumeIsolated().scheduleTask(in: server.connectDeadline) {
            guard self.sockets.isPending(slot) else { return }
            self.refuseTemporarily(slot, .unavailable, nil)
        }
        let isQueued = server.work.submit {
            let result: Result<Answer, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            bound.execute { session in
                overdue.cancel()
                guard session.sockets.isPending(slot) else { return }
                switch result {
                case .success(let answer): then(session, answer)
                case .failure(let error): session.refuse(slot, error)
                }
            }
        }
        if !isQueued { overdue.cancel() }
        return isQueued
    }

    /// Finds out who this is: at once where development mode believes, else by the session cookie.
    private func identify(_ auth: ConnectAuth, then: @escaping @Sendable (LiveSession, SocketFinding) -> Void) {
        let server = self.loop.server
        if let connection = self.connection, connection.phase == .ready {
            // Already known on `/`: the same person in another namespace.
            return then(self, connection.identity.map { .known($0) } ?? .idle)
        }
        if server.believesAuth, auth.user != nil {
            guard let identity = auth.believed(in: self.handshake.domain) else { return then(self, .guest) }
            return then(self, .known(identity))
        }
        let isOwn = self.handshake.origin != .foreign || self.handshake.isOriginListed
        guard server.allowsForeignSockets || isOwn else { return then(self, .foreign) }
        guard let identifier = server.identifier else { return then(self, .guest) }
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        let handshake = self.handshake
        let isQueued = server.work.submit {
            let finding = await identifier(handshake, auth)
            bound.execute { then($0, finding) }
        }
        if !isQueued { then(self, .unavailable) }
    }

    /// The client is in: its rooms begin, and the application's own handlers run behind CONNECT.
    func joined(_ socket: LiveSocket) {
        self.noteJoined()
        let server = self.loop.server
        let application = socket.namespace.application
        if socket.seat < 0 { self.loop.rooms.add(socket, to: socket.scope) }
        if socket.namespace.isDynamic { server.children.add(self.sockets.name(of: socket.slot)) }
        let auth = self.auths.removeValue(forKey: socket.slot)
        if self.auths.isEmpty { self.auths = [:] }  // gives back its memory
        application.joined?(LoopSocket(socket), auth ?? ByteBuffer())
        guard !application.connection.isEmpty else { return }
        let handle = Socket(socket)
        for handler in application.connection {
            self.runHandler("connection", socket) { try await handler(handle) }
        }
    }

    /// Runs a handler of the application's in the order of the session's handlers; what it throws is logged and counted.
    func runHandler(_ kind: String, _ socket: LiveSocket, _ body: @escaping @Sendable () async throws -> Void) {
        let server = self.loop.server
        self.enqueueHandler {
            do {
                try await body()
            } catch {
                server.metrics.handlersFailed.increment()
                server.logger.error("handler failed", metadata: ["handler": "\(kind)", "error": "\(error)"])
            }
        }
    }
}
