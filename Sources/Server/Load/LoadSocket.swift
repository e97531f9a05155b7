import NIOCore
import NIOPosix
import Wire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One TCP connection of a client: the upgrade request, WebSocket frames, and the session in them. On its event loop.
final class LoadSocket: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Stage { case upgrading, open, closing }

    private static let limits = WebSocketDecoder.Limits(maxPayload: 1 << 26, expectsMask: false)
    private static let pong = [UInt8(ascii: "3")]
    /// Bytes of an upgrade's response head.
    private static let maxHead = 16_384

    private let client: LoadClient
    private let loop: LoadLoop
    private let target: LoadTarget
    private var context: ChannelHandlerContext?
    private var stage = Stage.upgrading
    private var upgrade = UpgradeExchange()
    private var decoder = WebSocketDecoder()
    private var session = ClientSession()
    private var partial: ByteBuffer?
    private var out = ByteBuffer()
    private var end: ConnectionEnd?
    private var silence: UInt64 = 0
    private var lastHeard: UInt64
    private(set) var bytesReceived = 0

    init(client: LoadClient, target: LoadTarget) {
        self.client = client
        self.loop = client.loop
        self.target = target
        self.lastHeard = client.loop.now
    }

    /// Sets the channel's options, all at once: a bootstrap would have a future for each.
    func configure(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.maxMessagesPerRead, value: 1)
        try options.setOption(.writeBufferWaterMark, value: .init(low: 1 << 18, high: 1 << 20))
        guard let slow = self.client.slow else {
            let allocator = AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 512, maximum: 65_536)
            return try options.setOption(.recvAllocator, value: allocator)
        }
        // A small window makes the server feel the pace early; a read takes at most one tick's share.
        let share = max(1, slow.bytesPerSecond / LoadLoop.slowReadsPerSecond)
        try options.setOption(.socketOption(.so_rcvbuf), value: 4096)
        try options.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: share))
    }

    var isLive: Bool { self.session.state == .live }
    var isWritable: Bool { self.context?.channel.isWritable ?? false }

    // MARK: Sending

    /// Queues one Socket.IO packet; it goes out at the end of the loop's tick.
    ///
    /// - Parameter packet: with Engine.IO's `4` in front.
    func send(_ packet: ByteBuffer) {
        self.write(.text, packet.readableBytesView)
    }

    private func write(_ opcode: WebSocketFrameWriter.Opcode, _ body: some Collection<UInt8>) {
        guard self.stage == .open else { return }
        if self.out.readableBytes == 0 { self.loop.flushLater(self) }
        let key = self.loop.nextMask()
        let written: Void? = body.withContiguousStorageIfAvailable {
            WebSocketFrameWriter.writeMasked(opcode, UnsafeRawBufferPointer($0), key: key, into: &self.out)
        }
        precondition(written != nil, "packets are contiguous")
    }

    func flush() {
        guard self.out.readableBytes > 0, let context = self.context else { return }
        context.writeAndFlush(self.wrapOutboundOut(self.out), promise: nil)
        self.out = ByteBuffer()
    }

    // MARK: Ending

    /// Ends the connection as a client does that leaves.
    func finish() {
        guard self.end == nil else { return }
        self.write(.close, [0x03, 0xE8])
        self.flush()
        self.close(.finished)
    }

    /// Ends it as a network does: a reset, whatever is under way in either direction.
    func cut() {
        guard self.end == nil else { return }
        if let options = self.context?.channel as? any SocketOptionProvider {
            // On the loop it takes effect at once; a socket that is gone already needs no reset.
            _ = options.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        self.close(.cut)
    }

    func close(_ end: ConnectionEnd) {
        if self.end == nil { self.end = end }
        self.stage = .closing
        self.context?.close(promise: nil)
    }

    /// Ends the connection if the server has not been heard for too long.
    func checkSilence(at now: UInt64) {
        if self.silence > 0, now > self.lastHeard + self.silence { self.close(.silent) }
    }

    // MARK: Reading

    /// Stops reading by itself; from now on `readOnce` does it.
    func pause() {
        guard let channel = self.context?.channel else { return }
        do {
            try channel.syncOptions?.setOption(.autoRead, value: false)
        } catch {
            self.close(.reset)
        }
    }

    func readOnce() { self.context?.read() }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        let request = self.upgrade.request(
            authority: self.target.authority, requestTarget: self.target.requestTarget, seed: self.loop.nextMask())
        context.writeAndFlush(self.wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.bytesReceived += bytes.readableBytes
        if var head = self.partial {
            self.partial = nil
            head.writeBuffer(&bytes)
            bytes = head
        }
        self.loop.beginRead()
        if self.stage == .upgrading { self.readHead(&bytes) }
        guard self.stage == .open else {
            if self.stage == .upgrading { self.partial = bytes }
            return
        }
        let used = bytes.withUnsafeReadableBytes { self.readFrames($0) }
        guard self.stage == .open, used < bytes.readableBytes else { return }
        bytes.moveReaderIndex(forwardBy: used)
        self.partial = ByteBuffer(bytes: bytes.readableBytesView)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.stage = .closing
        self.client.ended(self.end ?? .reset)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset; `channelInactive` follows.
        self.close(.reset)
    }

    private func readHead(_ bytes: inout ByteBuffer) {
        guard bytes.readableBytes <= Self.maxHead else { return self.close(.violation("endless response head")) }
        switch self.upgrade.response(&bytes) {
        case .incomplete: break
        case .accepted: self.stage = .open
        case .refused(let status): self.close(.upgradeRefused(status: status))
        case .malformed: self.close(.violation("malformed upgrade response"))
        }
    }

    private func readFrames(_ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        while self.stage == .open {
            switch self.decoder.next(in: bytes, at: &offset, scratch: self.loop.scratch, limits: Self.limits) {
            case .text(let text): self.receive(text)
            case .binary, .pong: break
            case .ping(let body): self.write(.pong, body)
            case .close(let code): self.close(.webSocketClosed(code))
            case .violation(let code): self.close(.violation("WebSocket, \(code)"))
            case .needsMore: return offset
            }
        }
        return offset
    }

    private func receive(_ text: UnsafeRawBufferPointer) {
        self.lastHeard = self.loop.now
        switch self.session.receive(text) {
        case .nothing: break
        case .ping: self.write(.text, Self.pong)
        case .open(let silence):
            self.silence = UInt64(silence.nanoseconds / 1000)
            self.send(self.client.connectPacket())
        case .connected(_, let pid): self.client.connected(pid: pid)
        case .event(let packet): self.client.received(packet, UnsafeRawBufferPointer(rebasing: text[1...]))
        case .ack(let id, let packet):
            let body = UnsafeRawBufferPointer(rebasing: text[1...])
            self.client.acknowledged(id, UnsafeRawBufferPointer(rebasing: body[packet.payload]))
        case .refused(let message): self.close(.connectRefused(message))
        case .disconnected: self.close(.namespaceDisconnected)
        case .closed: self.close(.sessionClosed)
        case .violation(let what): self.close(.violation(what))
        }
    }
}

@available(*, unavailable) extension LoadSocket: Sendable {}
