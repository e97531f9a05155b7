import Metrics
import NIOCore
import Wire

/// One WebSocket from upgrade to close: frames in, frames out, nothing in between. Its session lives on the same loop.
///
/// Follows docs/architecture.md, "The hot path": answers of one read gather in the loop's buffer and leave with one write.
final class WebSocketHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Invariant: a loop's state outlives its channels.
    private unowned(unsafe) let loop: LiveLoop
    let session: LiveSession
    private var context: ChannelHandlerContext?
    private var decoder = WebSocketDecoder()
    /// Where permessage-deflate was agreed on.
    private var deflate: ConnectionDeflate?
    /// Only while a frame is incomplete.
    private var partial: ByteBuffer?
    private var phase = Phase.open
    /// Inside ``gather(_:)``: what is sent to this very socket gathers in `loop.answers`.
    private var isGathering = false

    /// Something was written that leaves at the end of the tick.
    private var awaitsFlush = false
    /// While the client does not keep up: what the channel is not given yet.
    private var backlog: WriteBacklog?
    /// More than this unsent in the channel, and what follows waits in ``backlog``.
    private static let highWatermark = 128 << 10

    private enum Phase { case open, closing, closed }

    /// What goes out, and what had come in, before the first frame; nil once the connection is ours.
    private var opening: Opening?

    /// An object of its own: an idle connection keeps no room for it.
    private final class Opening {
        let greeting: ByteBuffer
        let early: ByteBuffer

        init(greeting: ByteBuffer, early: ByteBuffer) {
            self.greeting = greeting
            self.early = early
        }
    }

    /// - Parameters:
    ///   - agreement: on permessage-deflate, as the greeting tells.
    ///   - greeting: the 101 that accepts the upgrade.
    ///   - early: bytes that the client sent behind its request.
    init(
        session: LiveSession, agreement: DeflateAgreement?, greeting: ByteBuffer, early: ByteBuffer = ByteBuffer()
    ) {
        self.loop = session.loop
        self.session = session
        if let agreement, let options = session.loop.server.transport.messageCompression {
            self.deflate = ConnectionDeflate(agreement, options: options, loop: session.loop.deflate)
            session.loop.server.metrics.deflateAgreed.increment()
        }
        self.opening = Opening(greeting: greeting, early: early)
    }

    /// Sets the channel's options. How it receives is set already, and would begin anew with a tiny buffer.
    func configure(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        let high = min(Self.highWatermark, self.budget)
        try options.setOption(.writeBufferWaterMark, value: .init(low: high / 2, high: high))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { self.open(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.open(context)
        context.fireChannelActive()
    }

    private func open(_ context: ChannelHandlerContext) {
        guard let opening = self.opening else { return }
        self.opening = nil
        // The 101 and the open packet are one write.
        var greeting = opening.greeting
        self.gather {
            self.loop.answers.writeBuffer(&greeting)
            self.session.webSocketOpened(self)
        }
        if self.loop.answers.readableBytes > 0 { self.write(NIOAny(self.loop.answers), context) }
        context.flush()
        if opening.early.readableBytes > 0 {
            self.channelRead(context: context, data: NIOAny(opening.early))
            self.channelReadComplete(context: context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard self.phase == .open else { return self.loop.receive.giveBack(bytes) }
        let isOurs = self.partial != nil
        if var head = self.partial {
            self.partial = nil
            head.writeBuffer(&bytes)
            self.loop.receive.giveBack(bytes)
            bytes = head
        }
        var used = 0
        self.gather { bytes.withUnsafeReadableBytes { self.consume($0, &used) } }
        if self.loop.answers.readableBytes > 0 { self.write(NIOAny(self.loop.answers), context) }
        if isOurs, used == 0, self.phase == .open {
            // Nothing is complete yet: copying it again with every read would make a slow sender dear.
            self.partial = bytes
            return
        }
        if used < bytes.readableBytes, self.phase == .open {
            // Never a slice of the read buffer: it is the loop's.
            var rest = context.channel.allocator.buffer(capacity: bytes.readableBytes - used)
            bytes.moveReaderIndex(forwardBy: used)
            rest.writeBuffer(&bytes)
            self.partial = rest
        }
        self.loop.receive.giveBack(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.release(context)
        } else if self.phase == .open, self.backlog == nil {
            self.backlog = WriteBacklog()
            self.checkBudget(context)
        }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.lost(.transportClose)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection reset is an end like any other; what else may come here has no better place to go.
        self.lost(.transportError)
        context.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    private func gather(_ body: () -> Void) {
        self.isGathering = true
        self.loop.isGathering = true
        // Not as large as it was: where the last answers are unsent, this allocates.
        self.loop.answers.clear(minimumCapacity: 512)
        body()
        self.isGathering = false
        self.loop.isGathering = false
    }

    private func consume(_ bytes: UnsafeRawBufferPointer, _ used: inout Int) {
        let inflation = self.deflate?.inflation
        while self.phase == .open {
            switch self.decoder.next(
                in: bytes, at: &used, scratch: self.loop.scratch, limits: self.loop.frameLimits, inflation: inflation)
            {
            case .text(let text): self.session.webSocket(self, text: text)
            case .binary(let binary): self.session.webSocket(self, binary: binary)
            case .ping(let payload): WebSocketFrameWriter.writePong(payload, into: &self.loop.answers)
            case .pong: break
            case .close(let code):
                self.close(echoing: code ?? WebSocketCloseCode.normal.rawValue)
                self.session.webSocketLost(self, .transportClose)
            case .violation(let code):
                self.loop.server.metrics.violated(code)
                if code == .tooLarge {
                    self.loop.server.metrics.hit(self.decoder.isTooFragmented ? .fragments : .payload)
                }
                self.close(code)
                self.session.webSocketLost(self, .transportError)
            case .needsMore: return
            }
        }
    }

    private func lost(_ reason: CloseReason) {
        guard self.phase != .closed else { return }
        let isNews = self.phase == .open
        self.phase = .closed
        self.partial = nil
        self.deflate = nil
        self.dropBacklog()
        if isNews { self.session.webSocketLost(self, reason) }
    }

    // MARK: From the session, on the loop

    /// Appends what `body` writes: to the answers of the present read, else as a write that leaves with the others of this
    /// tick.
    func send(_ body: (inout ByteBuffer) -> Void) {
        guard self.phase == .open, let context = self.context else { return }
        guard let deflate = self.deflate else {
            if self.isGathering { return body(&self.loop.answers) }
            var frames = ByteBuffer()
            body(&frames)
            return self.writeSoon(NIOAny(frames), context)
        }
        var plain = ByteBuffer()
        body(&plain)
        if self.isGathering { return deflate.rewrite(plain, into: &self.loop.answers) }
        var frames = ByteBuffer()
        deflate.rewrite(plain, into: &frames)
        self.writeSoon(NIOAny(frames), context)
    }

    /// Makes one write of whatever `body` sends; leaves with the others of this tick.
    func joining(_ body: () -> Void) {
        // Within a read: of this socket, whose answers are one write anyway, or of another, which has the buffer.
        guard !self.loop.isGathering else { return body() }
        self.gather(body)
        guard self.loop.answers.readableBytes > 0, let context = self.context else { return }
        self.writeSoon(NIOAny(self.loop.answers), context)
    }

    /// Frames that other members of the device get, too.
    func transmit(_ frames: NIOAny) {
        guard self.phase == .open, let context = self.context else { return }
        self.writeAnswers(context)
        guard let deflate = self.deflate else { return self.writeAndFlush(frames, context) }
        let packed = deflate.rewrite(shared: self.unwrapInboundIn(frames))
        self.writeAndFlush(NIOAny(packed), context)
    }

    /// The same, but flushed with everything else of this tick.
    func transmitSoon(_ frames: NIOAny) {
        guard self.phase == .open, let context = self.context else { return }
        self.writeAnswers(context)
        self.writeSoon(frames, context)
    }

    func flush() {
        self.awaitsFlush = false
        self.context?.flush()
    }

    /// Whether everything that was written has left this process.
    var isDrained: Bool {
        guard self.phase == .open, let context = self.context else { return false }
        if self.awaitsFlush { self.flush() }
        return self.backlog == nil && self.unsent(context) == 0
    }

    /// Calls `body` once everything that has been written up to now has left this process, or never will.
    func whenDrained(_ body: @escaping () -> Void) {
        guard self.phase == .open, let context = self.context else { return body() }
        if let backlog = self.backlog { return backlog.drained.append(body) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in body() }
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: promise)
    }

    /// Sends a close frame behind everything written, and closes once the peer has answered or a second has passed.
    func close(_ code: WebSocketCloseCode) { self.close(echoing: code.rawValue) }

    private func close(echoing code: UInt16) {
        guard self.phase == .open, let context = self.context else { return }
        self.writeAnswers(context)
        self.phase = .closing
        self.partial = nil
        while let block = self.backlog?.next() { context.write(NIOAny(block), promise: nil) }
        self.dropBacklog()
        var frame = ByteBuffer()
        WebSocketFrameWriter.writeClose(echoing: code, into: &frame)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(NIOAny(frame)).whenComplete { _ in
            // Half-closing first: a reset would take the close frame with it.
            bound.value.close(mode: .output, promise: nil)
        }
        self.loop.closeLater(self)
    }

    /// Closes the connection, whatever is still to come.
    func disconnect() { self.context?.close(promise: nil) }

    /// Closes at once; what is unsent is lost.
    func abort() {
        self.phase = .closed
        self.dropBacklog()
        self.context?.close(promise: nil)
    }

    // MARK: To the channel

    private func write(_ frames: NIOAny, _ context: ChannelHandlerContext) {
        guard let backlog = self.backlog else { return context.write(frames, promise: nil) }
        backlog.append(self.unwrapInboundIn(frames))
        self.checkBudget(context)
    }

    /// One system call for everything that one tick sends to a socket.
    private func writeSoon(_ frames: NIOAny, _ context: ChannelHandlerContext) {
        self.write(frames, context)
        guard !self.awaitsFlush else { return }
        self.awaitsFlush = true
        self.loop.flushSoon(self)
    }

    private func writeAndFlush(_ frames: NIOAny, _ context: ChannelHandlerContext) {
        guard self.backlog == nil else { return self.write(frames, context) }
        context.writeAndFlush(frames, promise: nil)
    }

    /// What this read has answered up to now, before something else.
    private func writeAnswers(_ context: ChannelHandlerContext) {
        guard self.isGathering, self.loop.answers.readableBytes > 0 else { return }
        self.write(NIOAny(self.loop.answers), context)
        self.loop.answers = ByteBuffer()
    }

    /// The byte budget of SPEC EV-4.
    private var budget: Int { self.loop.server.engineOptions.maxQueuedBytes }

    /// Bytes that the channel has and the kernel has not.
    private func unsent(_ context: ChannelHandlerContext) -> Int {
        guard let options = context.channel.syncOptions else { return 0 }
        // Only a closed channel refuses to tell, and has nothing unsent.
        do { return try options.getOption(.bufferedWritableBytes) } catch { return 0 }
    }

    /// Ends a client that is too slow. What the kernel still takes does not count.
    private func checkBudget(_ context: ChannelHandlerContext) {
        func isOver() -> Bool {
            guard let backlog = self.backlog else { return false }
            return backlog.bytes + self.unsent(context) > self.budget
        }
        guard isOver() else { return }
        context.flush()
        if self.phase == .open, isOver() { self.session.transportIsSlow(self) }
    }

    /// The channel takes more: what has waited comes first.
    private func release(_ context: ChannelHandlerContext) {
        guard let backlog = self.backlog else { return }
        while context.channel.isWritable, let block = backlog.next() { context.write(NIOAny(block), promise: nil) }
        context.flush()
        guard self.backlog === backlog, backlog.bytes == 0, context.channel.isWritable else { return }
        self.backlog = nil
        for body in backlog.drained { self.whenDrained(body) }
    }

    private func dropBacklog() {
        guard let backlog = self.backlog else { return }
        self.backlog = nil
        for body in backlog.drained { body() }
    }

    /// Stops or goes on reading: the back-pressure of asynchronous handlers.
    func setReading(_ isReading: Bool) {
        guard let context = self.context, self.phase == .open else { return }
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: isReading)
            if isReading { context.read() }
        } catch {
            // Only a closed channel refuses an option.
            self.abort()
        }
    }
}

@available(*, unavailable) extension WebSocketHandler: Sendable {}
