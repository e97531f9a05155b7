import Metrics
import NIOCore
import Routing
import Wire

/// One Engine.IO session on its event loop: hands what arrives to the machines of `Wire`, and does what they decide.
///
/// Polling is in `LiveSession+Polling.swift`; the namespaces above in `LiveSession+Namespaces.swift` and
/// `LiveSession+Leaving.swift`; what goes out in `LiveSession+Sending.swift`.
final class LiveSession: Timed {
    /// Invariant: a loop's state outlives its sessions.
    unowned(unsafe) let loop: LiveLoop
    /// Loses its credentials once `/` has been joined.
    var handshake: Handshake
    // Small ones together: there are as many of these objects as connections.
    let application: EngineApplication
    /// Why nothing more is taken from the client for now.
    var pauses: Pauses = []
    /// The number of its domain (``DomainSlots``).
    private let domainSlot: UInt16
    var hasJoined = false
    var engine: EngineSession
    /// The namespaces; unused on a bare Engine.IO path.
    var sockets: SocketSession
    /// Only while polling, or when it began so.
    var polling: PollingState?
    /// The current WebSocket, once there is one.
    var webSocket: WebSocketHandler?
    /// The connection on `/`, from its CONNECT on.
    var connection: LiveConnection?
    /// The sockets of other namespaces, once they have been joined.
    var elsewhere: [NamespaceSlot: NamespaceSocket] = [:]
    /// Those that wait for the application to let them in; mostly empty.
    var joining: [NamespaceSlot: NamespaceSocket] = [:]
    /// Packets of which only the latest counts, while the transport cannot take them; nil while none waits.
    var latest: LatestPackets?
    /// CONNECT payloads that an application wants to see once its client has joined; mostly empty.
    var auths: [NamespaceSlot: ByteBuffer] = [:]
    /// Asynchronous handlers of this session, once one was needed.
    var handlers: HandlerQueue?
    /// What it has sent.
    var rates = SocketRates()
    /// Whom limits per address count it for, until it has ended.
    let address: AddressKey
    /// Where the loop and its wheel keep it.
    var seat: Int32 = -1
    /// Of a session that began on WebSocket; the others are in the table of polling sessions.
    private var key = SessionKey.none
    var spoke = TimingWheel.Spoke.none

    /// - Parameter address: what ``LiveServer/admit(from:)`` gave.
    init(
        loop: LiveLoop, handshake: Handshake, application: EngineApplication, transport: EngineTransport,
        address: AddressKey
    ) {
        let server = loop.server
        let now = NIODeadline.now()
        self.loop = loop
        self.handshake = handshake
        self.address = address
        self.domainSlot = UInt16(clamping: server.domains.slot(of: handshake.domain))
        self.application = application
        self.engine = EngineSession(transport: transport, at: now, options: server.engineOptions)
        self.sockets = SocketSession(at: now, options: server.socketOptions)
        loop.add(self)
        server.metrics.sessionOpened(transport)
        self.reschedule(at: now)
    }

    /// What its domain has had on this loop.
    var traffic: DomainTraffic {
        get { self.loop.traffic[Int(self.domainSlot)] }
        _modify { yield &self.loop.traffic[Int(self.domainSlot)] }
    }

    var isBase64: Bool { self.handshake.base64 }

    /// Whether frames may be shared with other members of the device.
    var isStreaming: Bool { self.webSocket != nil && !self.isBase64 }

    // MARK: Time

    /// Tells the wheel of a deadline that may be earlier than the one it knows.
    func reschedule(at now: NIODeadline = .now()) {
        if let next = self.nextDeadline { self.loop.wheel.schedule(self, at: next) }
    }

    private var nextDeadline: NIODeadline? {
        guard let engine = self.engine.nextDeadline, self.application != .bareEcho else { return nil }
        var next = engine
        if self.application == .socketIO, let sockets = self.sockets.nextDeadline { next = min(next, sockets) }
        if let connection = self.connection {
            if let connect = connection.connectDeadline { next = min(next, connect) }
            if let ack = connection.acks.nextDeadline { next = min(next, ack) }
            if let action = connection.desk?.nextDeadline { next = min(next, action) }
            next = min(next, connection.authorityDeadline)
        }
        for socket in self.elsewhere.values {
            if let ack = socket.acks.nextDeadline { next = min(next, ack) }
            next = min(next, socket.authorityDeadline)
        }
        if let resumption = self.rateResumption { next = min(next, resumption) }
        return next
    }

    func deadlineReached(at now: NIODeadline) -> NIODeadline? {
        self.resumeIfPaid(at: now)
        let options = self.loop.server.engineOptions
        reading: while true {
            switch self.engine.heartbeat(at: now, options: options) {
            case .none: break reading
            case .sendPing: self.sendPing()
            case .closeProbe:
                self.loop.server.metrics.hit(.upgradeTime)
                self.closeProbe()
            case .end(let ending):
                self.finish(ending)
                return nil
            }
        }
        if self.application == .socketIO, self.engine.isOpen {
            if let reason = self.sockets.expire(at: now) {
                self.loop.server.metrics.hit(reason == .parseError ? .attachmentTime : .connectTime)
                self.close(reason)
            }
            if let deadline = self.connection?.connectDeadline, now >= deadline {
                self.connection?.giveUpConnecting(.unavailable)
            }
            self.connection?.expireAcks(at: now)
            self.connection?.desk?.expire(at: now)
            for socket in self.elsewhere.values { socket.expireAcks(at: now) }
            self.connection?.authorityDue(at: now)
            for socket in self.elsewhere.values { socket.authorityDue(at: now) }
        }
        return self.nextDeadline
    }

    private func sendPing() {
        if let webSocket = self.webSocket {
            webSocket.send { frames in
                WebSocketFrameWriter.writeHeader(.text, count: 1, into: &frames)
                frames.writeInteger(EnginePacketType.ping.rawValue)
            }
        } else if let polling = self.polling {
            polling.queue.append(.ping)
            self.answerPollSoon()
        }
    }

    // MARK: From the WebSocket

    func webSocketOpened(_ handler: WebSocketHandler) {
        // It may come from another loop, and its session may have ended on the way.
        guard self.engine.isOpen else { return handler.close(.normal) }
        if self.engine.transport == .polling {
            // The upgrade that was accepted for this session.
            guard let polling = self.polling, polling.probe == nil, self.engine.isUpgrading else {
                return handler.close(.normal)
            }
            polling.probe = handler
            return
        }
        self.webSocket = handler
        guard self.application != .bareEcho else { return }
        self.key = .random(using: &self.loop.random)
        self.loop.server.remember(self.key)
        let sid = self.key.text
        let options = self.loop.server.engineOptions
        handler.send { frames in
            var open = ByteBuffer()
            EngineHandshake.writeOpen(
                sid: sid, transport: .websocket, options: options, into: &open)
            open.withUnsafeReadableBytes { WebSocketFrameWriter.writeText($0, into: &frames) }
        }
    }

    func webSocket(_ handler: WebSocketHandler, text: UnsafeRawBufferPointer) {
        guard handler === self.webSocket else { return self.probe(handler, text: text) }
        if self.application == .bareEcho { return handler.send { WebSocketFrameWriter.writeText(text, into: &$0) } }
        // The hot path: an open session's message, with nothing in between.
        if text.first == EnginePacketType.message.rawValue, self.engine.isOpen {
            return self.message(text: UnsafeRawBufferPointer(rebasing: text[1...]))
        }
        self.receive(EnginePacket.parse(text: text, scratch: self.loop.scratch))
    }

    func webSocket(_ handler: WebSocketHandler, binary: UnsafeRawBufferPointer) {
        guard handler === self.webSocket else { return self.probeSentBinary(handler) }
        if self.application == .bareEcho { return handler.send { WebSocketFrameWriter.writeBinary(binary, into: &$0) } }
        if self.engine.isOpen { self.message(binary: binary) }
    }

    func webSocketLost(_ handler: WebSocketHandler, _ reason: CloseReason) {
        if handler === self.webSocket {
            self.webSocket = nil
            if let ending = self.engine.end(reason) { self.finish(ending) }
        } else if handler === self.polling?.probe {
            self.polling?.probe = nil
            self.engine.probeLost()
        }
    }

    /// A WebSocket that was accepted for this session was lost before it opened.
    func webSocketNeverOpened() {
        switch self.engine.transport {
        case .polling: if self.polling?.probe == nil { self.engine.probeLost() }
        case .websocket:
            guard self.webSocket == nil else { return }
            if let ending = self.engine.end(.transportError) { self.finish(ending) }
        }
    }

    /// More than its byte budget waits for the socket (SPEC EV-4).
    func transportIsSlow(_ handler: WebSocketHandler) {
        self.loop.server.metrics.slowConsumer()
        self.webSocket = nil
        handler.abort()
        if let ending = self.engine.end(.slowConsumer) { self.finish(ending) }
    }

    // MARK: Packets, on either transport

    func receive(_ packet: EnginePacket) {
        switch packet {
        case .packet(let type, let payload):
            switch self.engine.receive(type, at: .now(), options: self.loop.server.engineOptions) {
            case .none: break
            case .message: self.message(text: payload)
            case .leave(let closesProbe):
                if closesProbe { self.closeProbe() }
                self.announceEnd(.transportClose)
                self.reschedule()
            case .end(let ending): self.finish(ending)
            }
        case .binary(let bytes):
            if self.engine.isOpen { self.message(binary: bytes) }
        case .invalid:
            if let ending = self.engine.receiveInvalid() { self.finish(ending) }
        }
    }

    private func message(text: UnsafeRawBufferPointer) {
        self.loop.counters.packetsIn += 1
        self.traffic.counts.bytesIn += text.count
        switch self.application {
        case .socketIO:
            let now = NIODeadline.now()
            let action = self.sockets.receive(text: text, at: now, options: self.loop.server.socketOptions)
            if self.isWithinRates(action, text, at: now) { self.perform(action, text) }
        case .echo, .bareEcho:
            self.send(OutboundPacket(text: ByteBuffer(bytes: text)))
        }
    }

    private func message(binary: UnsafeRawBufferPointer) {
        self.traffic.counts.bytesIn += binary.count
        switch self.application {
        case .socketIO:
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            let action = self.sockets.receive(binary: binary, options: self.loop.server.socketOptions)
            if self.isWithinRates(action, none, at: .now()) { self.perform(action, none) }
        case .echo, .bareEcho:
            self.sendBare(binary: ByteBuffer(bytes: binary))
        }
    }

    // MARK: End

    /// Closes the session; what is queued still goes out.
    func close(_ reason: CloseReason) {
        let wasOpen = self.engine.isOpen
        if wasOpen { self.releaseLatest() }
        switch self.engine.close(reason, at: .now(), options: self.loop.server.engineOptions) {
        case .none: break
        case .end(let ending): self.finish(ending)
        case .waitForPoll(let closesProbe):
            if closesProbe { self.closeProbe() }
            if wasOpen { self.announceEnd(reason) }
            self.reschedule()
        }
    }

    func endAsSlow() {
        self.loop.server.metrics.slowConsumer()
        if let ending = self.engine.end(.slowConsumer) { self.finish(ending) }
    }

    /// Releases everything, once.
    func finish(_ ending: EngineEnding) {
        if let polling = self.polling {
            polling.release(ending)
            if let sid = polling.sid { self.loop.server.forget(sid) }
        }
        if self.key != .none { self.loop.server.forget(self.key) }
        if ending.closesProbe { self.closeProbe() }
        if !ending.wasAnnounced { self.announceEnd(ending.reason) }
        if let webSocket = self.webSocket {
            self.webSocket = nil
            if ending.closesWebSocket { webSocket.close(ending.reason.webSocketCode) }
        }
        self.polling = nil
        self.latest = nil
        self.handlers?.end()
        self.handlers = nil
        self.loop.wheel.cancel(self)
        self.loop.remove(self)
        self.loop.server.metrics.sessionClosed(ending.reason)
        self.loop.server.addresses.close(self.address, hasJoined: self.hasJoined)
    }

    func closeProbe() {
        let probe = self.polling?.probe
        self.polling?.probe = nil
        probe?.close(.normal)
    }
}

@available(*, unavailable) extension LiveSession: Sendable {}
