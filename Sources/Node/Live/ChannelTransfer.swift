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
    ///   - session: gets the WebSocket; told if there is none in the end.
    ///   - makeHandler: called on the session's loop.
    static func move(
        _ channel: any Channel, to session: NIOLoopBound<LiveSession>,
        makeHandler: @escaping @Sendable () -> WebSocketHandler
    ) {
        var descriptor: NIOBSDSocket.Handle = -1
        do {
            try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                descriptor = dup($0)
            }
        } catch {
            channel.close(promise: nil)
            return session.execute { $0.webSocketNeverOpened() }
        }
        // A second descriptor keeps the connection open while NIO closes the first.
        channel.close(promise: nil)
        guard descriptor >= 0 else { return session.execute { $0.webSocketNeverOpened() } }
        let moved = descriptor
        ClientBootstrap(group: session.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = makeHandler()
                    try session.value.loop.receive.serve(channel)
                    try handler.configure(channel)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .withConnectedSocket(moved)
            .whenFailure { _ in
                // The bootstrap has closed the descriptor.
                session.execute { $0.webSocketNeverOpened() }
            }
    }
}
