import NIOCore
import NIOPosix
import Synchronization

/// A TCP relay in front of a server that can stop passing bytes on: a hung server, as a client sees one.
final class MongoFreezeProxy: Sendable {
    private let server: any Channel
    private let isFrozen: Frozen

    var port: Int { self.server.localAddress?.port ?? 0 }

    fileprivate final class Frozen: Sendable {
        let flag = Atomic<Bool>(false)
    }

    init(host: String, port: Int) async throws {
        let frozen = Frozen()
        self.isFrozen = frozen
        self.server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { inbound in
                ClientBootstrap(group: inbound.eventLoop)
                    .channelOption(.autoRead, value: false)
                    .connect(host: host, port: port)
                    .flatMapThrowing { outbound in
                        try inbound.pipeline.syncOperations.addHandler(Relay(to: outbound, frozen: frozen))
                        try outbound.pipeline.syncOperations.addHandler(Relay(to: inbound, frozen: frozen))
                        outbound.read()
                        inbound.read()
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// From now on nothing passes any more; connections stay open, new ones too.
    func freeze() { self.isFrozen.flag.store(true, ordering: .sequentiallyConsistent) }

    func close() async throws { try await self.server.close() }

    private final class Relay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let peer: any Channel
        private let frozen: Frozen

        init(to peer: any Channel, frozen: Frozen) {
            self.peer = peer
            self.frozen = frozen
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !self.frozen.flag.load(ordering: .sequentiallyConsistent) else { return }
            self.peer.writeAndFlush(self.unwrapInboundIn(data), promise: nil)
        }

        func channelReadComplete(context: ChannelHandlerContext) { context.read() }

        func channelActive(context: ChannelHandlerContext) {
            context.read()
            context.fireChannelActive()
        }

        func channelInactive(context: ChannelHandlerContext) { self.peer.close(promise: nil) }
    }
}
