import NIOCore
import Routing
import Wire

/// An upgrade request that is a WebSocket handshake: decides whether it opens a session, joins one that polls, or neither
/// (SOCKETIO §2.3, §6), and puts the WebSocket's handler in place.
struct WebSocketOpening {
    let loop: LiveLoop
    let target: Substring
    let headers: HeaderList
    let peer: SocketAddress?
    let handshake: WebSocketHandshake
    /// Bytes that came with the request: frames of a client in a hurry, or junk (CVE-2022-21676).
    let early: ByteBuffer

    /// How a connection is taken from the handlers that have it now. Called on the connection's loop.
    struct Seat {
        /// Writes a refusal and closes.
        /// The text is the body.
        let refuse: (TransportRefusal, String) -> Void
        /// Gives the connection to a WebSocket of a session on this same loop.
        let attach: (WebSocketHandler) -> Void
        /// Gives the connection to a WebSocket of a session on another loop, where the handler is made.
        let transfer: (NIOLoopBound<LiveSession>, @escaping @Sendable () -> WebSocketHandler) -> Void
        /// Accepts the upgrade and closes the WebSocket at once.
        let dismiss: (WebSocketOpening) -> Void
        let channel: any Channel
    }

    func open(_ seat: Seat) {
        do throws(TransportRefusal) {
            try self.decide(seat)
        } catch {
            self.refuse(error, seat)
        }
    }

    private func decide(_ seat: Seat) throws(TransportRefusal) {
        let server = self.loop.server
        let path = self.target.utf8.prefix { $0 != UInt8(ascii: "?") }
        guard let application = server.enginePath(String(Substring(path))) else { throw .badRequest }
        guard application != .bareEcho else { return try self.begin(application, base64: false, seat) }
        let request: EngineRequest
        do {
            request = try EngineRequest(query: self.query)
        } catch {
            throw TransportRefusal(error)
        }
        let entry = request.isSessionIDPlausible ? request.sid.flatMap(server.pollingSession) : nil
        // Which transport a session has that began on polling is asked on its own loop.
        switch request.verdict(
            method: .get, isUpgrade: true, isOriginLegal: true, session: server.transport(of: request, entry),
            options: server.engineOptions)
        {
        case .refuse(let code): throw TransportRefusal(code)
        case .methodNotAllowed: throw .engineBadRequest
        case .session:
            // One that began on WebSocket has no entry: 101, and it is not disturbed.
            guard let entry else { return seat.dismiss(self) }
            let claimed = try server.gate.claim(self.headers, peer: self.peer)
            guard entry.owner.judge(claimed) == .same else { throw .sessionOfAnother }
            self.join(entry, seat)
        case .handshake: try self.begin(application, base64: request.base64, seat)
        }
    }

    /// What follows the first question mark of the target.
    private var query: String {
        let target = self.target.utf8
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return "" }
        return String(Substring(target[target.index(after: mark)...]))
    }

    /// A session of its own, if the application lets it.
    private func begin(_ application: EngineApplication, base64: Bool, _ seat: Seat) throws(TransportRefusal) {
        let server = self.loop.server
        let admitted = try server.gate.admit(
            self.headers, peer: self.peer, target: String(self.target), base64: base64)
        server.metrics.admitted(admitted)
        guard server.cors.allowsWebSocket(admitted.origin, origins: self.headers.values("origin")) else {
            throw .forbidden
        }
        let address = try server.admit(from: admitted.source)
        guard server.allowRequest != nil, application == .socketIO else {
            return self.attach(admitted, application, address, seat)
        }
        do {
            // What a client in a hurry sends meanwhile stays with the system, for the WebSocket to read.
            try seat.channel.syncOptions?.setOption(.autoRead, value: false)
        } catch {
            server.dismiss(address)
            return seat.channel.close(promise: nil)
        }
        HandshakeHook.ask(
            HandshakeRequest(admitted, transport: .websocket, query: self.query), on: self.loop
        ) { finding in
            guard seat.channel.isActive else { return server.dismiss(address) }
            switch finding {
            case .refused(let refusal, let text):
                server.dismiss(address)
                self.refuse(refusal, seat, text: text)
            case .allowed:
                self.attach(admitted, application, address, seat)
                do {
                    try seat.channel.syncOptions?.setOption(.autoRead, value: true)
                } catch {
                    seat.channel.close(promise: nil)
                }
            }
        }
    }

    private func attach(
        _ admitted: Handshake, _ application: EngineApplication, _ address: AddressKey, _ seat: Seat
    ) {
        let session = LiveSession(
            loop: self.loop, handshake: admitted, application: application, transport: .websocket, address: address)
        let cookie = application == .socketIO ? self.loop.server.affinityCookie(for: admitted) : nil
        seat.attach(self.handler(session, greeting: self.head101(cookie: cookie)))
    }

    private func handler(_ session: LiveSession, greeting: ByteBuffer) -> WebSocketHandler {
        WebSocketHandler(session: session, agreement: self.agreement, greeting: greeting, early: self.early)
    }

    /// The upgrade of a session that polls. Its WebSocket lives on the session's loop, so that no packet ever hops.
    private func join(_ entry: PollingEntry, _ seat: Seat) {
        if entry.loop.inEventLoop {
            let session = entry.session.value
            return self.follow(session.upgradeRequested(), seat) {
                seat.attach(self.handler(session, greeting: self.head101()))
            }
        }
        do {
            // What a client in a hurry sends meanwhile stays with the system, for the WebSocket to read.
            try seat.channel.syncOptions?.setOption(.autoRead, value: false)
        } catch {
            return seat.channel.close(promise: nil)
        }
        let here = NIOLoopBound((self, seat), eventLoop: self.loop.eventLoop)
        let greeting = self.head101()
        let early = self.early
        let agreement = self.agreement
        entry.loop.execute {
            let action = entry.session.value.upgradeRequested()
            here.eventLoop.execute {
                let (opening, seat) = here.value
                opening.follow(action, seat) {
                    seat.transfer(entry.session) {
                        WebSocketHandler(
                            session: entry.session.value, agreement: agreement, greeting: greeting, early: early)
                    }
                }
            }
        }
    }

    private func follow(_ action: UpgradeAction, _ seat: Seat, accept: () -> Void) {
        switch action {
        case .accept: accept()
        case .acceptAndClose:
            // A session that is on WebSocket already: the reference server answers 101 and closes (SOCKETIO §6).
            seat.dismiss(self)
        case .expired, .refuse: self.refuse(.sessionUnknown, seat)
        }
    }

    private func refuse(_ refusal: TransportRefusal, _ seat: Seat, text: String? = nil) {
        self.loop.server.metrics.refused(refusal)
        seat.refuse(refusal, text ?? refusal.message)
    }

    /// What is agreed on about permessage-deflate, if it is on.
    private var agreement: DeflateAgreement? {
        self.loop.server.transport.agreementPolicy.flatMap {
            DeflateAgreement.agree(on: self.handshake.extensions, policy: $0)
        }
    }

    /// The client's first choice among those that are configured; else none (SOCKETIO §6).
    private var subprotocol: String? {
        let known = self.loop.server.transport.subprotocols
        return known.isEmpty ? nil : self.handshake.subprotocols.first { known.contains($0) }
    }

    /// The 101, and the close frame right behind it.
    var dismissal: ByteBuffer {
        var bytes = self.head101()
        WebSocketFrameWriter.writeClose(.normal, into: &bytes)
        return bytes
    }

    private func head101(cookie: String? = nil) -> ByteBuffer {
        var head = ByteBuffer()
        head.writeString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        head.writeString("Sec-WebSocket-Accept: ")
        self.handshake.writeAccept(into: &head)
        if let agreement = self.agreement {
            head.writeString("\r\nSec-WebSocket-Extensions: \(agreement.response)")
        }
        if let subprotocol = self.subprotocol { head.writeString("\r\nSec-WebSocket-Protocol: \(subprotocol)") }
        if let cookie { head.writeString("\r\nSet-Cookie: \(cookie)") }
        head.writeString("\r\n\r\n")
        return head
    }
}

extension TransportRefusal {
    init(_ code: EngineErrorCode) {
        self =
            switch code {
            case .transportUnknown: .transportUnknown
            case .sessionUnknown: .sessionUnknown
            case .badHandshakeMethod: .badHandshakeMethod
            case .badRequest: .engineBadRequest
            case .forbidden: .forbidden
            case .unsupportedProtocolVersion: .unsupportedProtocolVersion
            }
    }
}
