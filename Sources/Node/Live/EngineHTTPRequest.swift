import HTTPTypes
import Metrics
import NIOCore
import Wire

/// A request for the engine path that is no WebSocket: finds its session and hands itself over (SOCKETIO §2.3, §5).
///
/// Lives on the loop of its connection; the ``PollExchange`` in it lives on the loop of the session.
final class EngineHTTPRequest {
    private let head: HTTPRequest
    private let application: EngineApplication
    private let loop: LiveLoop
    private let peer: SocketAddress?
    private let answer: @Sendable (EngineAnswer) -> Void
    private var body = ByteBuffer()
    private var entry: PollingEntry?
    private var exchange: NIOLoopBoundBox<PollExchange?>?
    private var phase = Phase.head
    private var isLost = false
    private(set) var isComplete = false
    var isAnswered = false

    private enum Phase {
        case head
        /// It came with another cookie than the session was opened with: whose it is, is being asked.
        case asking
        /// A GET of a session: handed over once its end has come.
        case polling
        case posting
        /// Answered by its head; what still comes of it is dropped.
        case dropped
    }

    init(
        head: HTTPRequest, application: EngineApplication, loop: LiveLoop, peer: SocketAddress?,
        answer: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        self.head = head
        self.application = application
        self.loop = loop
        self.peer = peer
        self.answer = answer
    }

    var wantsClose: Bool { self.head.headerFields[.connection]?.lowercased().contains("close") ?? false }

    func start() {
        let server = self.loop.server
        if let preflight = server.cors.preflight(self.head) { return self.finish(preflight) }
        guard self.application != .bareEcho else { return self.refuse(.badRequest) }
        let request: EngineRequest
        do {
            request = try EngineRequest(query: self.query)
        } catch {
            return self.refuse(error)
        }
        let entry = request.isSessionIDPlausible ? request.sid.flatMap(server.pollingSession) : nil
        let method: EngineRequest.Method =
            switch self.head.method {
            case .get: .get
            case .post: .post
            default: .other
            }
        switch request.verdict(
            method: method, isUpgrade: false, isOriginLegal: true, session: server.transport(of: request, entry),
            options: server.engineOptions)
        {
        case .refuse(let code): self.refuse(code)
        case .methodNotAllowed: self.finish(EngineAnswer(status: 405, contentType: nil, body: ByteBuffer()))
        case .handshake: self.handshake(request)
        case .session:
            guard let entry else { return self.refuse(.sessionUnknown) }
            self.meet(entry, method)
        }
    }

    /// Lets in a request for a session, if it is its owner's.
    private func meet(_ entry: PollingEntry, _ method: EngineRequest.Method) {
        let server = self.loop.server
        do throws(TransportRefusal) {
            let claimed = try server.gate.claim(self.head, peer: self.peer)
            switch entry.owner.judge(claimed) {
            case .same: self.begin(entry, method)
            case .other: throw .sessionOfAnother
            case .otherCookie:
                let handshake = try server.gate.admit(
                    HeaderList(self.fields), peer: self.peer, target: "", base64: false)
                self.phase = .asking
                let here = NIOLoopBound(self, eventLoop: self.loop.eventLoop)
                server.recognize(handshake, claimed, entry) { isSame in
                    here.execute { $0.recognized(entry, method, isSame) }
                }
            }
        } catch {
            self.refuse(error, error.message)
        }
    }

    /// Another cookie turned out to be the same person's on the same device, or not.
    private func recognized(_ entry: PollingEntry, _ method: EngineRequest.Method, _ isSame: Bool) {
        guard !self.isLost else { return }
        guard isSame else { return self.refuse(.sessionOfAnother, TransportRefusal.sessionOfAnother.message) }
        let early = self.body
        self.body = ByteBuffer()
        self.begin(entry, method)
        if early.readableBytes > 0 { self.append(early) }
        if self.isComplete { self.complete() }
    }

    private func begin(_ entry: PollingEntry, _ method: EngineRequest.Method) {
        self.entry = entry
        if method == .get { self.phase = .polling } else { self.beginPost(entry) }
    }

    private func handshake(_ request: EngineRequest) {
        let server = self.loop.server
        do throws(TransportRefusal) {
            let headers = HeaderList(self.fields)
            let admitted = try server.gate.admit(
                headers, peer: self.peer, target: self.head.path ?? "", base64: request.base64)
            server.metrics.admitted(admitted)
            let address = try server.admit(from: admitted.source)
            self.phase = .dropped
            HandshakeHook.ask(
                HandshakeRequest(admitted, transport: .polling, query: self.query), on: self.loop
            ) { finding in
                switch finding {
                case .refused(let refusal, let text):
                    server.dismiss(address)
                    self.refuse(refusal, text)
                case .allowed:
                    guard !self.isLost else { return server.dismiss(address) }
                    LiveSession.openPolling(
                        loop: self.loop, handshake: admitted, application: self.application, address: address,
                        answering: self.makeExchange())
                }
            }
        } catch {
            self.refuse(error, error.message)
        }
    }

    private func refuse(_ refusal: TransportRefusal, _ text: String) {
        self.loop.server.metrics.refused(refusal)
        var body = ByteBuffer()
        switch refusal {
        case .forbidden, .refusedByHook:
            EngineErrorCode.forbidden.writeBody(message: text, into: &body)
            self.finish(
                EngineAnswer(
                    status: EngineErrorCode.forbidden.status, contentType: "application/json", body: body))
        case .sessionOfAnother:
            EngineErrorCode.sessionUnknown.writeBody(into: &body)
            self.finish(
                EngineAnswer(
                    status: EngineErrorCode.sessionUnknown.status, contentType: "application/json", body: body))
        default:
            body.writeString("{\"message\":")
            body.writeJSONString(text)
            body.writeString("}")
            var answer = EngineAnswer(status: refusal.code, contentType: "application/json", body: body)
            if let seconds = refusal.retryAfter { answer.extra[.retryAfter] = String(seconds) }
            self.finish(answer)
        }
    }

    private var query: String {
        let target = self.head.path ?? ""
        return target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) } ?? ""
    }

    private var fields: [(name: String, value: String)] {
        var fields = self.head.headerFields.map { (name: $0.name.rawName, value: $0.value) }
        if let host = self.head.authority { fields.append((name: "host", value: host)) }
        return fields
    }

    private func beginPost(_ entry: PollingEntry) {
        self.phase = .posting
        let type = self.head.headerFields[.contentType] ?? ""
        let isOctetStream = type.lowercased().hasPrefix("application/octet-stream")
        let length = self.head.headerFields[.contentLength].flatMap { Int($0) }
        self.handOver(entry) { session, exchange in
            _ = session.post(exchange, isOctetStream: isOctetStream, contentLength: length)
        }
    }

    func append(_ bytes: ByteBuffer) {
        if self.phase == .asking {
            // One byte too many is enough to see that it is too large.
            let room = self.loop.server.engineOptions.maxPayload + 1 - self.body.readableBytes
            var bytes = bytes
            if let part = bytes.readSlice(length: min(room, bytes.readableBytes)) {
                self.body.writeImmutableBuffer(part)
            }
            return
        }
        guard self.phase == .posting, let entry = self.entry else { return }
        let limit = self.loop.server.engineOptions.maxPayload
        guard self.body.readableBytes + bytes.readableBytes <= limit else {
            self.phase = .dropped
            self.body = ByteBuffer()
            return self.continueOver(entry) { $0.postTooLarge($1) }
        }
        self.body.writeImmutableBuffer(bytes)
    }

    /// The whole request is here.
    func complete() {
        self.isComplete = true
        guard let entry = self.entry else { return }
        switch self.phase {
        case .head, .asking, .dropped: break
        case .polling: self.handOver(entry) { $0.poll($1) }
        case .posting:
            let body = self.body
            self.continueOver(entry) { $0.postCompleted($1, body: body) }
        }
    }

    /// The connection is gone.
    func lost() {
        self.isLost = true
        guard !self.isAnswered, let entry = self.entry else { return }
        self.continueOver(entry) { $0.exchangeLost($1) }
    }

    /// Compresses the answer to a poll, if that is on and the client takes it.
    func encode(_ answer: inout EngineAnswer) {
        let server = self.loop.server
        guard answer.isCompressible, let options = server.transport.pollingCompression else { return }
        answer.addVary("Accept-Encoding")
        guard answer.body.readableBytes >= options.threshold,
            let encoding = ContentEncoding.negotiate(self.head.headerFields[values: .acceptEncoding])
        else { return }
        answer.body = self.loop.deflate.encode(answer.body, as: encoding)
        answer.extra[.contentEncoding] = encoding.rawValue
        server.metrics.compressedAnswers.increment()
    }

    // MARK: To the session's loop, in order

    private func handOver(_ entry: PollingEntry, _ body: @escaping @Sendable (LiveSession, PollExchange) -> Void) {
        let box = NIOLoopBoundBox<PollExchange?>.makeBoxSendingValue(nil, eventLoop: entry.loop)
        self.exchange = box
        let answer = self.corsAnswer
        entry.run { session in
            let exchange = PollExchange(answer: answer)
            box.value = exchange
            body(session, exchange)
        }
    }

    private func continueOver(_ entry: PollingEntry, _ body: @escaping @Sendable (LiveSession, PollExchange) -> Void) {
        guard let box = self.exchange else { return }
        entry.run { session in
            if let exchange = box.value { body(session, exchange) }
        }
    }

    private func makeExchange() -> PollExchange { PollExchange(answer: self.corsAnswer) }

    private var corsAnswer: @Sendable (EngineAnswer) -> Void {
        let cors = self.loop.server.cors
        let origins = self.head.headerFields[values: .origin]
        let answer = self.answer
        return { plain in
            var answered = plain
            cors.apply(to: &answered, origins: origins)
            answer(answered)
        }
    }

    private func refuse(_ code: EngineErrorCode) {
        self.loop.server.metrics.refused(TransportRefusal(code))
        self.makeExchange().refuse(code)
        self.phase = .dropped
    }

    private func finish(_ answer: EngineAnswer) {
        self.phase = .dropped
        self.corsAnswer(answer)
    }
}
