import DequeModule
import HTTPTypes
import Metrics
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Wire

/// Stands between the HTTP codec and Hummingbird: takes the requests for the engine path (polls, posts, upgrades on a
/// connection that was used before), and lets everything else through.
///
/// Engine requests are decided on the loop, at once and in the order of their arrival, since a GET and a POST of one client
/// race on two connections (SOCKETIO §17).
final class EngineHTTPHandler: ChannelDuplexHandler, RemovableChannelHandler, Timed {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// What the connection is doing.
    private enum Activity {
        case idle
        /// Hummingbird has a request; whether it has come whole, and whether its answer is out.
        case forwarding(hasEnded: Bool, isAnswered: Bool)
        case engine(EngineHTTPRequest)
        /// The last answer of the connection is on its way; what still comes is dropped.
        case closing
    }

    var spoke = TimingWheel.Spoke.none
    private var activity = Activity.idle
    private var deadline = NIODeadline.distantFuture
    /// The present request asks for a protocol that nobody speaks here. The HTTP decoder takes it at its word and reads no
    /// further, so its answer is the connection's last.
    private var isLastRequest = false
    /// The answer to a HEAD has no body, whatever its head says; with one the next answer would begin in its middle.
    private var isHead = false
    /// Everything written up to now, an answer being complete.
    private var lastWrite: EventLoopFuture<Void>?
    private var isCatchingUp = false
    /// Requests that were pipelined behind the present one.
    private var waiting: Deque<HTTPRequestPart> = []
    private var isReadHeld = false
    /// What the decoder could not read behind the requests that wait: it is told once they are answered.
    private var heldError: (any Error)?
    private var isHeadTooLarge = false
    /// Whether the request that is being read says that it is the connection's last (RFC 9112 §9.6).
    private var wantsClose = false
    /// Nothing that comes now is a request any more, so there is no answer to it either.
    private var isDeaf = false
    /// Whoever handles the request waits for more of it: only then is a client that sends nothing slow.
    private var isReadWanted = true
    private var loop: LiveLoop?
    private var context: ChannelHandlerContext?
    private let server: LiveServer

    init(server: LiveServer) {
        self.server = server
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.loop = self.server.loop(of: context.eventLoop)
        self.restartPatience()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.loop?.wheel.cancel(self)
        self.context = nil
    }

    // MARK: Time

    /// An idle connection goes after a minute, a slow body after half of one; a held poll has the heartbeat's patience.
    func deadlineReached(at now: NIODeadline) -> NIODeadline? {
        // A wheel that turns fast asks more often.
        guard now >= self.deadline else { return self.deadline }
        switch self.activity {
        case .idle:
            self.server.metrics.hit(.idleTime)
            self.context?.close(promise: nil)
            return nil
        case .closing:
            self.context?.close(promise: nil)
            return nil
        case .forwarding(hasEnded: true, _):
            return self.extend(from: now)
        case .forwarding(hasEnded: false, _):
            guard self.isReadWanted else { return self.extend(from: now) }
            self.server.metrics.slowBody()
            self.context?.close(promise: nil)
            return nil
        case .engine(let request):
            guard !request.isComplete else { return self.extend(from: now) }
            self.server.metrics.slowBody()
            self.context?.close(promise: nil)
            return nil
        }
    }

    private func extend(from now: NIODeadline) -> NIODeadline {
        self.deadline = now + self.server.idleTimeout
        return self.deadline
    }

    private func restartPatience() {
        let patience: TimeAmount
        switch self.activity {
        case .idle, .closing, .forwarding(hasEnded: true, _): patience = self.server.idleTimeout
        case .forwarding(hasEnded: false, _): patience = self.server.bodyTimeout
        case .engine(let request): patience = request.isComplete ? self.server.idleTimeout : self.server.bodyTimeout
        }
        self.deadline = .now() + patience
        self.loop?.wheel.schedule(self, at: self.deadline)
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = self.unwrapInboundIn(data)
        self.isReadWanted = false
        if self.waiting.isEmpty, self.takes(part) {
            self.take(part, context)
        } else {
            self.waiting.append(part)
        }
    }

    func read(context: ChannelHandlerContext) {
        // What waits is bounded by one read.
        self.isReadWanted = true
        if self.waiting.isEmpty { context.read() } else { self.isReadHeld = true }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .engine(let request) = self.activity { request.lost() }
        self.activity = .closing
        self.waiting.removeAll()
        self.loop?.wheel.cancel(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.isDeaf, error is HTTPParserError { return }
        if let error = error as? HTTPParserError, error == .headerOverflow {
            self.server.metrics.hit(.head)
            self.isHeadTooLarge = true
        }
        if case .engine = self.activity { return context.close(promise: nil) }
        // Hummingbird answers 400 to what cannot be parsed, whatever found it out; a connection that broke has no answer.
        let isTransport = error is IOError || error is ChannelError
        let error: any Error = isTransport || error is HTTPParserError ? error : HTTPParserError.unknown
        if self.waiting.isEmpty { context.fireErrorCaught(error) } else { self.heldError = error }
    }

    /// Whether the part can be handled now, rather than after the request before it.
    private func takes(_ part: HTTPRequestPart) -> Bool {
        switch self.activity {
        case .idle, .closing: true
        case .forwarding(let hasEnded, _): !hasEnded
        case .engine(let request): !request.isComplete
        }
    }

    private func take(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch (self.activity, part) {
        case (.closing, _): break
        case (.idle, .head(let head)):
            self.isHead = head.method == .head
            self.wantsClose = head.headerFields[values: .connection].contains { $0.lowercased() == "close" }
            guard (head.path?.utf8.count ?? 0) <= self.server.headLimits.targetBytes else {
                self.server.metrics.refused(.targetTooLong)
                return self.write(
                    EngineAnswer(
                        status: TransportRefusal.targetTooLong.code, contentType: "text/html",
                        body: ByteBuffer(string: TransportRefusal.targetTooLong.message), closes: true))
            }
            self.isLastRequest = head.headerFields[.upgrade] != nil || head.method == .connect
            if let application = self.server.enginePath(Self.path(head)) {
                self.begin(head, application, context)
            } else {
                self.activity = .forwarding(hasEnded: false, isAnswered: false)
                context.fireChannelRead(NIOAny(part))
            }
            self.restartPatience()
        case (.idle, _):
            // The rest of a request that was refused by its head.
            break
        case (.forwarding(_, let isAnswered), .end):
            self.activity = .forwarding(hasEnded: true, isAnswered: isAnswered)
            self.isDeaf = self.isDeaf || self.wantsClose
            context.fireChannelRead(NIOAny(part))
            self.restartPatience()
            if isAnswered { self.finished(context) }
        case (.forwarding, _):
            // A body may be as long as its action allows; whoever reads it bounds its time as a whole (SPEC AC-12).
            context.fireChannelRead(NIOAny(part))
            self.restartPatience()
        case (.engine(let request), .body(let bytes)): request.append(bytes)
        case (.engine(let request), .end):
            self.isDeaf = self.isDeaf || self.wantsClose
            request.complete()
            self.restartPatience()
            self.finish(request, context)
        case (.engine, .head): preconditionFailure("the codec ends a request before it begins another")
        }
    }

    private static func path(_ head: HTTPRequest) -> String {
        let target = head.path ?? ""
        return String(target.prefix { $0 != "?" })
    }

    private func begin(_ head: HTTPRequest, _ application: EngineApplication, _ context: ChannelHandlerContext) {
        guard let loop = self.loop else { return context.close(promise: nil) }
        if head.headerFields[.upgrade] != nil, self.openWebSocket(head, loop, context) { return }
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        let request = EngineHTTPRequest(
            head: head, application: application, loop: loop, peer: context.channel.remoteAddress
        ) {
            answer in here.execute { $0.write(answer) }
        }
        self.activity = .engine(request)
        request.start()
    }

    /// An upgrade on a connection that has served requests before, as a proxy that keeps connections makes them.
    private func openWebSocket(_ head: HTTPRequest, _ loop: LiveLoop, _ context: ChannelHandlerContext) -> Bool {
        var upgrade = WebSocketHandshake()
        for field in head.headerFields { upgrade.note(name: field.name.rawName, value: field.value) }
        switch upgrade.verdict(isGET: head.method == .get, isHTTP11: true) {
        case .notAnUpgrade: return false
        case .malformed: return self.refuse(.badRequest, TransportRefusal.badRequest.message)
        case .unsupportedVersion:
            let refusal = TransportRefusal.unsupportedWebSocketVersion
            return self.refuse(refusal, refusal.message)
        case .accept: break
        }
        var fields = head.headerFields.map { (name: $0.name.rawName, value: $0.value) }
        if let host = head.authority { fields.append((name: "host", value: host)) }
        let opening = WebSocketOpening(
            loop: loop, target: Substring(head.path ?? ""), headers: HeaderList(fields),
            peer: context.channel.remoteAddress,
            handshake: upgrade, early: ByteBuffer())
        opening.open(
            .init(
                refuse: { _ = self.refuse($0, $1) },
                attach: { handler in
                    let bound = NIOLoopBound(handler, eventLoop: loop.eventLoop)
                    self.transfer(to: NIOLoopBound(handler.session, eventLoop: loop.eventLoop)) { bound.value }
                },
                transfer: { self.transfer(to: $0, makeHandler: $1) },
                dismiss: { self.dismiss($0.handshake) }, channel: context.channel))
        return true
    }

    /// Refuses an upgrade.
    /// - Returns: true: the request is answered.
    private func refuse(_ refusal: TransportRefusal, _ text: String) -> Bool {
        var answer = EngineAnswer(
            status: refusal.code, contentType: "text/html", body: ByteBuffer(string: text), closes: true)
        if refusal == .unsupportedWebSocketVersion { answer.extra[.secWebSocketVersion] = "13" }
        self.write(answer)
        return true
    }

    /// Gives the connection away once the answers before are out. Frames that the client sent ahead of the 101, which RFC
    /// 6455 §4.1 forbids, stay behind in the HTTP decoder.
    private func transfer(
        to session: NIOLoopBound<LiveSession>, makeHandler: @escaping @Sendable () -> WebSocketHandler
    ) {
        guard let context = self.context else { return session.execute { $0.webSocketNeverOpened() } }
        self.activity = .closing
        let channel = context.channel
        guard let lastWrite = self.lastWrite else {
            return ChannelTransfer.move(channel, to: session, makeHandler: makeHandler)
        }
        lastWrite.whenComplete { _ in ChannelTransfer.move(channel, to: session, makeHandler: makeHandler) }
    }

    /// Accepts an upgrade and closes its WebSocket at once.
    private func dismiss(_ handshake: WebSocketHandshake) {
        guard let context = self.context else { return }
        self.activity = .closing
        var accept = ByteBuffer()
        handshake.writeAccept(into: &accept)
        var fields = HTTPFields()
        fields[.upgrade] = "websocket"
        fields[.connection] = "Upgrade"
        fields[.secWebSocketAccept] = String(buffer: accept)
        var close = ByteBuffer()
        WebSocketFrameWriter.writeClose(.normal, into: &close)
        context.write(
            NIOAny(HTTPResponsePart.head(HTTPResponse(status: .switchingProtocols, headerFields: fields))),
            promise: nil)
        context.write(NIOAny(HTTPResponsePart.body(close)), promise: nil)
        self.closeBehind(context.writeAndFlush(NIOAny(HTTPResponsePart.end(nil))), context)
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(var head):
            // Hummingbird knows one answer to a head that it does not get.
            if self.isHeadTooLarge, case .idle = self.activity { head.status = .requestHeaderFieldsTooLarge }
            if self.isLastRequest || self.wantsClose, head.status.kind != .informational {
                head.headerFields[.connection] = "close"
            }
            self.isDeaf = self.isDeaf || head.headerFields[.connection] == "close"
            context.write(NIOAny(HTTPResponsePart.head(head)), promise: promise)
        case .body(let body): context.write(NIOAny(HTTPResponsePart.body(body)), promise: promise)
        case .end(let trailers):
            let written = promise ?? context.eventLoop.makePromise()
            context.write(NIOAny(HTTPResponsePart.end(trailers)), promise: written)
            self.lastWrite = written.futureResult
            guard case .forwarding(let hasEnded, _) = self.activity else { return }
            self.activity = .forwarding(hasEnded: hasEnded, isAnswered: true)
            if self.isLastRequest {
                self.activity = .closing
                self.closeBehind(written.futureResult, context)
            } else if hasEnded {
                self.finished(context)
            }
        }
    }

    private func write(_ answer: EngineAnswer) {
        guard let context = self.context else { return }
        var closes = answer.closes || self.isLastRequest
        var answer = answer
        if case .engine(let request) = self.activity {
            request.isAnswered = true
            closes = closes || request.wantsClose
            request.encode(&answer)
        }
        var head = answer.head
        if closes { head.headerFields[.connection] = "close" }
        context.write(NIOAny(HTTPResponsePart.head(head)), promise: nil)
        if answer.body.readableBytes > 0, !self.isHead {
            context.write(NIOAny(HTTPResponsePart.body(answer.body)), promise: nil)
        }
        let written = context.writeAndFlush(NIOAny(HTTPResponsePart.end(nil)))
        self.lastWrite = written
        if closes {
            self.activity = .closing
            self.closeBehind(written, context)
        } else if case .engine(let request) = self.activity {
            self.finish(request, context)
        }
    }

    private func closeBehind(_ written: EventLoopFuture<Void>, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        written.whenComplete { _ in bound.value.close(promise: nil) }
    }

    private func finish(_ request: EngineHTTPRequest, _ context: ChannelHandlerContext) {
        guard case .engine(let present) = self.activity, present === request, request.isComplete, request.isAnswered
        else { return }
        self.finished(context)
    }

    /// A request is read and answered: the next one may come.
    private func finished(_ context: ChannelHandlerContext) {
        if self.wantsClose, let lastWrite = self.lastWrite {
            self.activity = .closing
            return self.closeBehind(lastWrite, context)
        }
        self.activity = .idle
        self.restartPatience()
        // A request that is answered at once ends within the loop below, which then goes on.
        guard !self.isCatchingUp else { return }
        self.isCatchingUp = true
        var isForwarding = false
        while let part = self.waiting.first, self.takes(part) {
            self.waiting.removeFirst()
            self.take(part, context)
            if case .forwarding = self.activity { isForwarding = true }
        }
        self.isCatchingUp = false
        // Hummingbird takes what it was given when a read is complete.
        if isForwarding { context.fireChannelReadComplete() }
        if self.waiting.isEmpty, let error = self.heldError {
            self.heldError = nil
            context.fireErrorCaught(error)
        }
        if self.waiting.isEmpty, self.isReadHeld {
            self.isReadHeld = false
            context.read()
        }
    }
}

@available(*, unavailable) extension EngineHTTPHandler: Sendable {}
