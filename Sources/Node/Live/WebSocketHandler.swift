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
    /// Inside `channelRead`: what is sent to this very socket gathers in `loop.answers`.
    private var isReading = false

    /// Something was written that leaves at the end of the tick.
    private var awaitsFlush = false

    private enum Phase { case open, closing, closed }

    /// What goes out, and what had come in, before the first frame; nil once the connection is ours.
    private var opening: Opening?

    private struct Opening {
        let greeting: ByteBuffer
        let early: ByteBuffer
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

    /// Sets the channel's options: its byte budget is the high watermark (SPEC EV-4, docs/architecture.md).
    func configure(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        let limit = self.loop.server.engineOptions.maxQueuedBytes
        try options.setOption(.writeBufferWaterMark, value: .init(low: limit / 2, high: limit))
        try options.setOption(.recvAllocator, value: ReceiveBufferAllocator(slot: self.loop.receive))
        try options.setOption(.maxMessagesPerRead, value: 1)
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
        context.write(NIOAny(opening.greeting), promise: nil)
        self.session.webSocketOpened(self)
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
        self.isReading = true
        self.loop.answers.clear()
        var used = 0
        bytes.withUnsafeReadableBytes { self.consume($0, &used) }
        self.isReading = false
        if self.loop.answers.readableBytes > 0 { context.write(NIOAny(self.loop.answers), promise: nil) }
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
        // The high watermark is the socket's byte budget (SPEC EV-4).
        if !context.channel.isWritable { self.session.transportIsSlow(self) }
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
        if isNews { self.session.webSocketLost(self, reason) }
    }

    // MARK: From the session, on the loop

    /// Appends what `body` writes: to the answers of the present read, else as a write of its own.
    func send(_ body: (inout ByteBuffer) -> Void) {
        guard self.phase == .open, let context = self.context else { return }
        guard let deflate = self.deflate else {
            if self.isReading { return body(&self.loop.answers) }
            var frames = ByteBuffer()
            body(&frames)
            return context.writeAndFlush(NIOAny(frames), promise: nil)
        }
        var plain = ByteBuffer()
        body(&plain)
        if self.isReading { return deflate.rewrite(plain, into: &self.loop.answers) }
        var frames = ByteBuffer()
        deflate.rewrite(plain, into: &frames)
        context.writeAndFlush(NIOAny(frames), promise: nil)
    }

    /// Frames that other members of the device get, too.
    func transmit(_ frames: NIOAny) {
        guard self.phase == .open, let context = self.context else { return }
        if self.isReading, self.loop.answers.readableBytes > 0 {
            context.write(NIOAny(self.loop.answers), promise: nil)
            self.loop.answers = ByteBuffer()
        }
        guard let deflate = self.deflate else { return context.writeAndFlush(frames, promise: nil) }
        let packed = deflate.rewrite(shared: self.unwrapInboundIn(frames))
        context.writeAndFlush(NIOAny(packed), promise: nil)
    }

    /// The same, but flushed with everything else of this tick.
    func transmitSoon(_ frames: NIOAny) {
        guard self.phase == .open, let context = self.context else { return }
        if self.isReading, self.loop.answers.readableBytes > 0 {
            context.write(NIOAny(self.loop.answers), promise: nil)
            self.loop.answers = ByteBuffer()
        }
        context.write(frames, promise: nil)
        guard !self.awaitsFlush else { return }
        self.awaitsFlush = true
        self.loop.flushSoon(self)
    }

    func flush() {
        self.awaitsFlush = false
        self.context?.flush()
    }

    /// Whether everything that was written has left this process.
    var isDrained: Bool {
        guard self.phase == .open, let context = self.context, let options = context.channel.syncOptions else {
            return false
        }
        if self.awaitsFlush { self.flush() }
        do { return try options.getOption(.bufferedWritableBytes) == 0 } catch { return false }
    }

    /// Calls `body` once everything that has been written up to now has left this process, or never will.
    func whenDrained(_ body: @escaping () -> Void) {
        guard self.phase == .open, let context = self.context else { return body() }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in body() }
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: promise)
    }

    /// Sends a close frame behind everything written, and closes once the peer has answered or a second has passed.
    func close(_ code: WebSocketCloseCode) { self.close(echoing: code.rawValue) }

    private func close(echoing code: UInt16) {
        guard self.phase == .open, let context = self.context else { return }
        if self.isReading, self.loop.answers.readableBytes > 0 {
            context.write(NIOAny(self.loop.answers), promise: nil)
            self.loop.answers = ByteBuffer()
        }
        self.phase = .closing
        self.partial = nil
        var frame = ByteBuffer()
        WebSocketFrameWriter.writeClose(echoing: code, into: &frame)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(NIOAny(frame)).whenComplete { _ in
            // Half-closing first: a reset would take the close frame with it.
            bound.value.close(mode: .output, promise: nil)
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { bound.value.close(promise: nil) }
    }

    /// Closes at once; what is unsent is lost.
    func abort() {
        self.phase = .closed
        self.context?.close(promise: nil)
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
