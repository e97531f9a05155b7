internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Watches the connection while an answer is streamed over it: a client that goes away, or takes nothing for too long, ends
/// the source (SPEC AC-10).
///
/// A source that has nothing to send for a while is no stall: only bytes that wait for the client are.
final class AnswerStreamHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Sent down the pipeline before the head of a streamed answer. It fails where the connection is gone.
    struct Began: Sendable {
        /// Called at most once, on the loop.
        let cancel: @Sendable () -> Void
    }

    private var cancel: (@Sendable () -> Void)?
    /// Pieces that the kernel has not taken yet.
    private var unsent = 0
    private var lastProgress = NIODeadline.uptimeNanoseconds(0)
    private var check: Scheduled<Void>?
    private let stallTimeout: TimeAmount
    private let onStall: @Sendable () -> Void

    /// - Parameters:
    ///   - stallTimeout: how long nothing at all may be taken of what is there.
    ///   - onStall: counts it.
    init(stallTimeout: TimeAmount, onStall: @escaping @Sendable () -> Void) {
        self.stallTimeout = stallTimeout
        self.onStall = onStall
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let began = event as? Began else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        guard context.channel.isActive else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        self.cancel = began.cancel
        self.unsent = 0
        promise?.succeed()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard self.cancel != nil else { return context.write(data, promise: promise) }
        let isLast = if case .end = self.unwrapOutboundIn(data) { true } else { false }
        let written = promise ?? context.eventLoop.makePromise()
        if self.unsent == 0 { self.expectProgress(context) }
        self.unsent += 1
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        written.futureResult.whenComplete { _ in here.value.written(isLast: isLast, at: eventLoop.now) }
        context.write(data, promise: written)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(cancels: true)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end(cancels: true) }

    private func written(isLast: Bool, at now: NIODeadline) {
        guard self.cancel != nil else { return }
        self.unsent -= 1
        self.lastProgress = now
        if isLast { self.end(cancels: false) }
    }

    private func expectProgress(_ context: ChannelHandlerContext) {
        self.lastProgress = context.eventLoop.now
        // One that is there already looks again when it finds progress.
        if self.check == nil { self.schedule(context, at: self.lastProgress + self.stallTimeout) }
    }

    private func schedule(_ context: ChannelHandlerContext, at deadline: NIODeadline) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.check = context.eventLoop.scheduleTask(deadline: deadline) {
            let (handler, context) = bound.value
            handler.look(context)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        self.check = nil
        guard self.cancel != nil, self.unsent > 0 else { return }
        let deadline = self.lastProgress + self.stallTimeout
        guard context.eventLoop.now >= deadline else { return self.schedule(context, at: deadline) }
        self.onStall()
        self.end(cancels: true)
        context.close(promise: nil)
    }

    private func end(cancels: Bool) {
        self.check?.cancel()
        self.check = nil
        let cancel = self.cancel
        self.cancel = nil
        if cancels { cancel?() }
    }
}

@available(*, unavailable) extension AnswerStreamHandler: Sendable {}
