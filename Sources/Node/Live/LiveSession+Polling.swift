import Metrics
import NIOCore
import Routing
import Wire

extension LiveSession {
    /// Opens a polling session: its open packet is the answer to the request that made it.
    static func openPolling(
        loop: LiveLoop, handshake: Handshake, application: EngineApplication, address: AddressKey,
        answering exchange: PollExchange
    ) {
        let session = LiveSession(
            loop: loop, handshake: handshake, application: application, transport: .polling, address: address)
        let label = loop.server.transport.sessionLabel.map { "\($0)-" } ?? ""
        let sid = label + Base64URL.random128()
        session.polling = PollingState(sid: sid)
        loop.server.remember(session, as: sid)
        var open = ByteBuffer()
        EngineHandshake.writeOpen(sid: sid, transport: .polling, options: loop.server.engineOptions, into: &open)
        exchange.answerPoll(open, cookie: loop.server.affinityCookie(for: handshake))
    }

    func queue(_ packet: OutboundPacket) {
        guard let polling = self.polling, !self.engine.isClosed else { return }
        guard polling.queue.append(packet, limit: self.loop.server.engineOptions.maxQueuedBytes) else {
            return self.endAsSlow()
        }
        self.answerPollSoon()
    }

    /// Answers a held poll at the end of this tick, so that what belongs together goes out together.
    func answerPollSoon() {
        guard let polling = self.polling, self.engine.isPollHeld, !polling.isAnswerScheduled else { return }
        polling.isAnswerScheduled = true
        self.loop.eventLoop.assumeIsolated().execute {
            polling.isAnswerScheduled = false
            guard self.engine.answerPoll(), let held = polling.held else { return }
            polling.held = nil
            held.answerPoll(polling.takePayload())
        }
    }

    // MARK: Requests

    func poll(_ exchange: PollExchange) {
        // A session that has just ended on this loop may still have been found on another one.
        guard let polling = self.polling else { return exchange.refuse(.sessionUnknown) }
        self.releaseLatest()
        self.resumeIfPaid(at: .now())
        switch self.engine.poll(isQueueEmpty: polling.queue.isEmpty, at: .now()) {
        case .hold: polling.held = exchange
        case .answer: exchange.answerPoll(polling.takePayload())
        case .holdBriefly:
            polling.held = exchange
            self.releasePollSoon()
        case .last(let ending):
            exchange.answerPoll(polling.takePayload(last: .close))
            self.finish(ending)
        case .overtaken(let ending):
            exchange.answerPoll(ByteBuffer(string: "6"))
            self.finish(ending)
        case .overlap(let ending):
            self.finish(ending)
            exchange.answerEmpty(status: 400, closing: false)
        case .expired(let ending):
            self.finish(ending)
            exchange.refuse(.sessionUnknown)
        case .refuse(let code): exchange.refuse(code)
        }
    }

    /// The head of a POST. - Returns: whether its body is to be read.
    func post(_ exchange: PollExchange, isOctetStream: Bool, contentLength: Int?) -> Bool {
        let action = self.engine.post(
            isOctetStream: isOctetStream, contentLength: contentLength, at: .now(),
            options: self.loop.server.engineOptions)
        switch action {
        case .read:
            self.polling?.post = exchange
            return true
        case .reject(let status, let ending):
            if status == 413 { self.loop.server.metrics.hit(.payload) }
            self.finish(ending)
            exchange.answerEmpty(status: status, closing: true)
        case .expired(let ending):
            self.finish(ending)
            exchange.refuse(.sessionUnknown)
        case .refuse(let code): exchange.refuse(code)
        }
        return false
    }

    func postCompleted(_ exchange: PollExchange, body: ByteBuffer) {
        guard self.polling?.post === exchange else { return }
        if self.isPaused {
            self.polling?.postBody = body
            return
        }
        self.polling?.post = nil
        switch self.engine.postBody() {
        case .refuse(let code): exchange.refuse(code)
        case .decode:
            body.withUnsafeReadableBytes { bytes in
                var decoder = EnginePayloadDecoder(
                    bytes, maxPackets: self.loop.server.engineOptions.maxPacketsPerPayload)
                while !self.engine.isClosed, let packet = decoder.next(scratch: self.loop.scratch) {
                    if case .invalid = packet {
                        if decoder.isOverfull { self.loop.server.metrics.hit(.packets) }
                        if let ending = self.engine.receiveInvalid() { self.finish(ending) }
                        return exchange.answerEmpty(status: 400, closing: false)
                    }
                    self.receive(packet)
                }
                if self.engine.isLeaving { self.polling?.farewell = exchange } else { exchange.answerPost() }
            }
        }
    }

    func postTooLarge(_ exchange: PollExchange) {
        // One that was refused by its length may bring its body all the same: that is no second time.
        if let ending = self.engine.postTooLarge() {
            self.loop.server.metrics.hit(.payload)
            self.polling?.post = nil
            self.finish(ending)
        }
        exchange.answerEmpty(status: 413, closing: true)
    }

    /// The connection of a request that has no answer yet is gone.
    func exchangeLost(_ exchange: PollExchange) {
        guard let polling = self.polling else { return }
        if polling.held === exchange {
            polling.held = nil
            if let ending = self.engine.pollLost() { self.finish(ending) }
        } else if polling.post === exchange {
            polling.post = nil
            if let ending = self.engine.postLost() { self.finish(ending) }
        }
    }

    // MARK: Upgrade

    func upgradeRequested() -> UpgradeAction {
        let action = self.engine.upgradeRequest(at: .now(), options: self.loop.server.engineOptions)
        switch action {
        case .accept: self.reschedule()
        case .expired(let ending): self.finish(ending)
        case .acceptAndClose, .refuse: break
        }
        return action
    }

    /// Only the WebSocket that the session has accepted speaks for an upgrade: one that was given up may still have
    /// frames under way (SOCKETIO §7).
    private func isProbing(_ handler: WebSocketHandler) -> Bool { self.polling?.probe === handler }

    func probe(_ handler: WebSocketHandler, text: UnsafeRawBufferPointer) {
        guard self.isProbing(handler) else { return }
        switch EnginePacket.parse(text: text, scratch: self.loop.scratch) {
        case .packet(let type, let payload):
            let isProbe = EnginePacket.isProbe(payload)
            self.perform(
                self.engine.probe(type, isProbe: isProbe, at: .now(), options: self.loop.server.engineOptions), handler)
        case .binary, .invalid: self.perform(self.engine.probeInvalid(), handler)
        }
    }

    func probeSentBinary(_ handler: WebSocketHandler) {
        guard self.isProbing(handler) else { return }
        self.perform(self.engine.probeInvalid(), handler)
    }

    private func perform(_ action: ProbeAction, _ handler: WebSocketHandler) {
        switch action {
        case .none: break
        case .sendPong(let releasesPoll):
            if releasesPoll { self.releasePollSoon() }
            handler.send { frames in
                ByteBuffer(string: "3probe").withUnsafeReadableBytes {
                    WebSocketFrameWriter.writeText($0, into: &frames)
                }
            }
        case .upgraded(let poll, let cutsPost):
            self.release(poll)
            guard let polling = self.polling else { return }
            if cutsPost, let post = polling.post {
                polling.post = nil
                post.answerEmpty(status: 400, closing: true)
            }
            polling.probe = nil
            self.webSocket = handler
            if self.isPaused { handler.setReading(false) }
            let base64 = self.isBase64
            if !polling.queue.isEmpty { handler.send { polling.queue.takeFrames(base64: base64, into: &$0) } }
            self.loop.server.metrics.upgrades.increment()
            self.connection?.transportChanged()
            self.releaseLatest()
            self.reschedule()
        case .closeProbe: self.closeProbe()
        }
    }

    private func release(_ poll: PollRelease) {
        guard let held = self.polling?.held else { return }
        self.polling?.held = nil
        switch poll {
        case .none, .noop: held.answerPoll(ByteBuffer(string: "6"))
        case .refuse: held.refuse(.badRequest)
        }
    }

    /// Lets no poll wait while a WebSocket is probing, unless that has taken over with what the system has of it already.
    private func releasePollSoon() {
        self.loop.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) {
            guard self.engine.answerPoll(), let polling = self.polling, let held = polling.held else { return }
            polling.held = nil
            held.answerPoll(polling.queue.isEmpty ? ByteBuffer(string: "6") : polling.takePayload())
        }
    }
}
