import Logging
import Metrics
import NIOCore
import Routing
import Wire

/// Refusals, and every way out of a namespace.
extension LiveSession {
    /// Ends a CONNECT to `/`. The session stays open, unless the refusal is temporary and goes by the transport.
    func refuseRoot(_ code: ConnectErrorCode, isTemporary: Bool) {
        self.loop.server.metrics.refused(code)
        let retries = self.connection?.speaksProduct ?? false
        self.connection?.end(isFinal: !isTemporary, isTemporary ? .moving : .cut)
        self.connection = nil
        guard !isTemporary || retries else { return self.close(.forcedClose) }
        if self.sockets.refuse(.root) { self.send(.connectError(message: code.rawValue)) }
    }

    /// A refusal that goes by the transport, as official clients never come back after CONNECT_ERROR (SPEC ND-13).
    /// - Parameter auth: nil where it is not at hand: then the transport is the way.
    func refuseTemporarily(_ slot: NamespaceSlot, _ code: ConnectErrorCode, _ auth: ConnectAuth?) {
        if slot == .root, self.connection != nil { return self.refuseRoot(code, isTemporary: true) }
        self.loop.server.metrics.refused(code)
        guard let auth, auth.version != nil else { return self.close(.forcedClose) }
        self.refuse(slot, code.rawValue)
    }

    /// What the application threw instead of letting a client in. Its own words where they are a ``ConnectError``.
    func refuse(_ slot: NamespaceSlot, _ error: any Error) {
        guard let error = error as? ConnectError else {
            self.loop.server.metrics.handlersFailed.increment()
            self.loop.server.logger.error("middleware failed", metadata: ["error": "\(error)"])
            return self.refuse(slot, "Internal error")
        }
        var data: ByteBuffer?
        if let value = error.data {
            var text = ByteBuffer()
            value.write(to: &text)
            data = text
        }
        self.refuse(slot, error.message, data: data)
    }

    /// CONNECT_ERROR; the session stays open, and may join other namespaces.
    func refuse(_ slot: NamespaceSlot, _ message: String, data: ByteBuffer? = nil) {
        self.auths[slot] = nil
        self.stopJoining(slot)
        if slot == .root {
            self.connection?.end(isFinal: true, .cut)
            self.connection = nil
        }
        let name = self.sockets.name(of: slot)
        guard self.sockets.refuse(slot) else { return }
        self.loop.server.metrics.namespaceRefusals.increment()
        self.send(.connectError(message: message, data: data, namespace: name))
        self.reschedule()
    }

    /// A namespace has been left, by whichever side.
    func left(_ socket: LiveSocket, _ reason: CloseReason) {
        self.retire(socket, reason)
        if let connection = self.connection, connection === socket {
            connection.end(isFinal: !reason.isRecoverable, Leaving(reason))
            self.connection = nil
            self.loop.server.metrics.disconnected(reason)
        } else {
            self.forget(socket.slot)
        }
        self.reschedule()
    }

    private func forget(_ slot: NamespaceSlot) {
        if let socket = self.elsewhere.removeValue(forKey: slot) { self.loop.removeOutside(socket) }
    }

    /// Takes a socket out of its rooms and tells the application, once (SOCKETIO §11.11).
    private func retire(_ socket: LiveSocket, _ reason: CloseReason) {
        guard socket.isJoined else { return socket.endAcks() }
        let handlers = socket.namespace.application.disconnection
        let rooms = handlers.isEmpty ? [] : [socket.sid] + socket.rooms.map(\.name)
        let handle = handlers.isEmpty ? nil : Socket(socket)
        let scope = socket.scope
        self.loop.rooms.remove(socket, from: scope)
        if socket.namespace.isDynamic { self.loop.server.children.remove(scope.namespace) }
        socket.endAcks()
        guard let handle else { return }
        let disconnection = Disconnection(reason: reason.text, rooms: rooms)
        for handler in handlers {
            self.runHandler("disconnect", socket) { try await handler(handle, disconnection) }
        }
    }

    /// The server disconnects a client from a namespace; with `closes` from all, and ends the session (SOCKETIO §11.12).
    func disconnect(_ socket: LiveSocket, closes: Bool) {
        guard self.engine.isOpen, self.socket(socket.slot) === socket else { return }
        guard closes else { return self.expel(socket) }
        for slot in self.sockets.connected {
            if let member = self.socket(slot) { self.expel(member) }
        }
        self.close(.forcedServerClose)
    }

    private func expel(_ socket: LiveSocket) {
        let name = self.sockets.name(of: socket.slot)
        guard self.sockets.leave(socket.slot, at: .now(), options: self.loop.server.socketOptions) else { return }
        self.send(.disconnect(namespace: name))
        self.left(socket, .serverNamespaceDisconnect)
    }

    /// Ends the connection for a reason that the client is told (SPEC WS-0).
    func logout(_ reason: LogoutReason) {
        if let connection = self.connection, connection.isToldWhy { self.send(.logout(reason)) }
        self.connection?.leaving = Leaving(reason)
        self.connection?.logoutReason = reason
        guard !reason.reconnects else { return self.close(.forcedClose) }
        if let connection = self.connection {
            if self.sockets.leave(.root, at: .now(), options: self.loop.server.socketOptions) {
                self.send(.disconnect())
            }
            self.left(connection, .serverNamespaceDisconnect)
        }
        // With its identity gone the client has nothing to stay for.
        self.close(.forcedServerClose)
    }

    /// The node goes, or lets everybody go: the client is told, and comes back elsewhere (SPEC ND-12).
    func shutDown(_ reason: LogoutReason) {
        if self.connection == nil { self.close(.serverShuttingDown) } else { self.logout(reason) }
    }

    /// The engine session has ended: whoever is in a namespace is told once.
    func announceEnd(_ reason: CloseReason) {
        for socket in self.elsewhere.values { self.retire(socket, reason) }
        for slot in self.elsewhere.keys { self.forget(slot) }
        for slot in self.joining.keys { self.stopJoining(slot) }
        if let connection = self.connection {
            self.retire(connection, reason)
            self.connection = nil
            connection.end(isFinal: !reason.isRecoverable, Leaving(reason))
            self.loop.server.metrics.disconnected(reason)
        }
        self.sockets.end()
        self.auths = [:]
    }

    func sendReady(_ connection: LiveConnection) {
        guard let identity = connection.identity else { return }
        self.send(
            .ready(
                sid: connection.sid, endpoint: connection.endpoint, identity: identity,
                ice: self.loop.server.ice.grant(domain: identity.domain, user: identity.user),
                ping: self.loop.server.engineOptions.pingInterval))
    }

    // MARK: Handlers

    /// Runs an asynchronous handler behind those that wait already.
    /// - Returns: false where it will not run.
    @discardableResult
    func enqueueHandler(_ job: @escaping HandlerQueue.Job) -> Bool {
        let handlers = self.handlers ?? self.makeHandlers()
        self.handlers = handlers
        if handlers.add(job) { return true }
        self.loop.server.metrics.handlersRefused.increment()
        return false
    }

    private func makeHandlers() -> HandlerQueue {
        let bound = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
        return HandlerQueue(work: self.loop.server.work) { isReading in
            bound.execute { $0.setReading(isReading, .handlers) }
        }
    }
}
