import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Takes a TCP connection out of its channel and gives it to a new one, on any event loop: how the WebSocket of an upgrade
/// comes to the loop of its session, and out of an HTTP pipeline that it cannot be taken from (docs/adr/0003-front-door.md).
enum ChannelTransfer {
    /// - Parameters:
    ///   - channel: with nothing unsent; call on its loop. It is closed, its connection is not.
    ///   - makeHandler: called on `loop`.
    static func move(
        _ channel: any Channel, to loop: any EventLoop, makeHandler: @escaping @Sendable () -> WebSocketHandler
    ) {
        var descriptor: NIOBSDSocket.Handle = -1
        do {
            try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                descriptor = dup($0)
            }
        } catch {
            return channel.close(promise: nil)
        }
        // A second descriptor keeps the connection open while NIO closes the first.
        channel.close(promise: nil)
        guard descriptor >= 0 else { return }
        let moved = descriptor
        ClientBootstrap(group: loop)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = makeHandler()
                    try handler.configure(channel)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .withConnectedSocket(moved)
            .whenFailure { _ in
                // The bootstrap has closed the descriptor; the session's upgrade times out, and it goes on polling.
            }
    }
}
