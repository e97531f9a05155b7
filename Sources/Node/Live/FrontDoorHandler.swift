import Metrics
import NIOCore
import Wire

/// The first handler of every accepted connection: reads the head of its first request and decides who gets the
/// connection. A WebSocket upgrade for the engine path never meets an HTTP pipeline; everything else is handed to
/// Hummingbird, byte for byte (docs/adr/0003-front-door.md).
final class FrontDoorHandler: ChannelInboundHandler, RemovableChannelHandler, Timed {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var spoke = TimingWheel.Spoke.none
    /// Invariant: a loop's state outlives its channels.
    private unowned(unsafe) let loop: LiveLoop
    private var head = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var deadline = NIODeadline.distantFuture
    private var isDone = false

    init(loop: LiveLoop) {
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.deadline = .now() + self.loop.server.firstByteTimeout
        self.loop.wheel.schedule(self, at: self.deadline)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.loop.wheel.cancel(self)
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isDone = true
        self.loop.wheel.cancel(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func deadlineReached(at now: NIODeadline) -> NIODeadline? {
        guard !self.isDone, let context = self.context else { return nil }
        // A wheel that turns fast asks more often.
        guard now >= self.deadline else { return self.deadline }
        self.loop.server.metrics.slowHead(self.head.readableBytes == 0 ? .firstByteTime : .headTime)
        self.isDone = true
        context.close(promise: nil)
        return nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard !self.isDone else { return self.loop.receive.giveBack(bytes) }
        // A line break may straddle two reads.
        let isFirst = self.head.readableBytes == 0
        let searchFrom = max(self.head.readableBytes - 3, 0)
        let isCut = isFirst && bytes.writableBytes == 0
        self.head.writeBuffer(&bytes)
        self.loop.receive.giveBack(bytes)
        if isCut, var rest = self.loop.receive.readOn(context.channel) {
            self.head.writeBuffer(&rest)
            self.loop.receive.giveBack(rest)
        }
        let limits = self.loop.server.headLimits
        guard let end = self.endOfHead(from: searchFrom) else {
            if self.head.readableBytes > limits.headerBytes { return self.answer(.headersTooLarge, context) }
            if isFirst {
                self.deadline = .now() + self.loop.server.headTimeout
                self.loop.wheel.schedule(self, at: self.deadline)
            }
            return
        }
        guard end <= limits.headerBytes else { return self.answer(.headersTooLarge, context) }
        self.isDone = true
        guard self.mayBeUpgrade(end) else {
            if let refusal = self.excess(end) { return self.answer(refusal, context) }
            return self.handOn(context)
        }
        do throws(UpgradeRequest.Refusal) {
            let request = try UpgradeRequest(head: self.head.readableBytesView.prefix(end), limits: limits)
            self.decide(request, headEnd: end, context)
        } catch {
            switch error {
            case .malformed: self.answer(.badRequest, context)
            case .targetTooLong: self.answer(.targetTooLong, context)
            case .tooManyFields: self.answer(.headersTooLarge, context)
            }
        }
    }

    private func endOfHead(from offset: Int) -> Int? {
        self.head.withUnsafeReadableBytes { bytes -> Int? in
            var index = offset
            while index + 4 <= bytes.count {
                if bytes[index] == 0x0D, bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D, bytes[index + 3] == 0x0A {
                    return index + 4
                }
                index += 1
            }
            return nil
        }
    }

    /// What is too large in a head that our own parser does not see. Whatever else is wrong with it, the HTTP decoder says.
    private func excess(_ end: Int) -> TransportRefusal? {
        let limits = self.loop.server.headLimits
        return self.head.withUnsafeReadableBytes { bytes -> TransportRefusal? in
            let head = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            let line = head.prefix { $0 != 0x0A }
            let target = line.drop { $0 != 0x20 }.dropFirst().prefix { $0 != 0x20 }
            if target.count > limits.targetBytes { return .targetTooLong }
            var lines = 0
            for byte in head where byte == 0x0A { lines += 1 }
            // Its first and its empty last line are no fields.
            return lines - 2 > limits.fieldCount ? .headersTooLarge : nil
        }
    }

    /// Cheap and generous: a GET for an engine path that says "upgrade" somewhere. The parser decides.
    private func mayBeUpgrade(_ end: Int) -> Bool {
        self.head.withUnsafeReadableBytes { bytes -> Bool in
            let head = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            guard head.starts(with: "GET /".utf8) else { return false }
            let target = head[4...].prefix { $0 != 0x20 && $0 != UInt8(ascii: "?") }
            guard self.loop.server.enginePath(String(decoding: target, as: UTF8.self)) != nil else { return false }
            return Self.contains("\r\nupgrade:", in: head)
        }
    }

    private static func contains(_ lowercased: StaticString, in bytes: UnsafeRawBufferPointer) -> Bool {
        let count = lowercased.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        let needle = UnsafeBufferPointer(start: lowercased.utf8Start, count: count)
        for start in 0...(bytes.count - count) {
            var offset = 0
            while offset < count {
                let byte = bytes[start + offset]
                let lower = byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
                if lower != needle[offset] { break }
                offset += 1
            }
            if offset == count { return true }
        }
        return false
    }

    private func decide(_ request: UpgradeRequest, headEnd: Int, _ context: ChannelHandlerContext) {
        var upgrade = WebSocketHandshake()
        for field in request.fields { upgrade.note(name: field.name, value: field.value) }
        switch upgrade.verdict(isGET: request.method == "GET", isHTTP11: true) {
        case .notAnUpgrade: return self.handOn(context)
        case .malformed: return self.answer(.badRequest, context)
        case .unsupportedVersion: return self.answer(.unsupportedWebSocketVersion, context)
        case .accept: break
        }
        self.head.moveReaderIndex(forwardBy: headEnd)
        let opening = WebSocketOpening(
            loop: self.loop, target: request.target, headers: HeaderList(request.fields),
            peer: context.channel.remoteAddress, handshake: upgrade, early: self.head)
        opening.open(
            .init(
                refuse: { $0.write($1, to: context) }, attach: { self.attach($0, context) },
                transfer: { ChannelTransfer.move(context.channel, to: $0, makeHandler: $1) },
                dismiss: { opening in
                    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
                    context.writeAndFlush(NIOAny(opening.dismissal)).whenComplete { _ in
                        bound.value.close(promise: nil)
                    }
                }, channel: context.channel))
    }

    /// The connection is a WebSocket's from here on.
    private func attach(_ handler: WebSocketHandler, _ context: ChannelHandlerContext) {
        do {
            try handler.configure(context.channel)
            try context.pipeline.syncOperations.addHandler(handler, position: .after(self))
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    private func answer(_ refusal: TransportRefusal, _ context: ChannelHandlerContext) {
        self.isDone = true
        self.loop.server.metrics.refused(refusal)
        refusal.write(to: context, isHead: self.head.readableBytesView.starts(with: "HEAD ".utf8))
    }

    /// Everything that was read goes to the HTTP pipeline, which from now on owns the connection.
    private func handOn(_ context: ChannelHandlerContext) {
        self.isDone = true
        guard self.loop.server.adoptHTTP(context.channel) else {
            return self.answer(.busy, context)
        }
        let head = self.head
        self.head = ByteBuffer()
        context.fireChannelRead(NIOAny(head))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

@available(*, unavailable) extension FrontDoorHandler: Sendable {}
