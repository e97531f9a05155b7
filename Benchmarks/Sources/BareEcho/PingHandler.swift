import NIOCore

/// Keeps so many messages in flight: it sends one for each that has come back.
final class PingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inFlight: Int
    private let counter: Counter
    private let messages: ByteBuffer
    /// Bytes of a message that has not come back whole.
    private var rest = 0

    init(inFlight: Int, counter: Counter) {
        self.inFlight = inFlight
        self.counter = counter
        self.messages = ByteBuffer(repeating: UInt8(ascii: "x"), count: BareEcho.messageSize * inFlight)
    }

    func channelActive(context: ChannelHandlerContext) { self.send(self.inFlight, context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.rest += self.unwrapInboundIn(data).readableBytes
        let back = self.rest / BareEcho.messageSize
        self.rest %= BareEcho.messageSize
        self.counter.messages += back
        self.send(back, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func send(_ count: Int, _ context: ChannelHandlerContext) {
        guard count > 0, let bytes = self.messages.getSlice(at: 0, length: count * BareEcho.messageSize) else { return }
        context.writeAndFlush(NIOAny(bytes), promise: nil)
    }
}

@available(*, unavailable) extension PingHandler: Sendable {}
