import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix

/// TCP connections that speak plain HTTP, served by Hummingbird: one task per connection, all in one group.
final class HTTPConnections: Sendable {
    private let http: HTTP1Channel
    private let logger: Logger
    private let arrivals: AsyncStream<HTTP1Channel.Value>
    private let arrival: AsyncStream<HTTP1Channel.Value>.Continuation

    /// Connections that may wait for their task; more are closed.
    private static let waitingLimit = 1_024

    /// - Parameter handlers: go between the HTTP codec and Hummingbird, made anew for each connection.
    init(
        responder: @escaping HTTPChannelHandler.Responder, limits: UpgradeRequest.Limits, logger: Logger,
        handlers: @escaping @Sendable () -> [any RemovableChannelHandler] = { [] }
    ) {
        self.logger = logger
        // The front door holds the limits for a connection's first request.
        self.http = HTTP1Channel(
            responder: responder,
            configuration: .init(
                additionalChannelHandlers: handlers(),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                    maxHeaderFieldCount: limits.fieldCount)))
        (self.arrivals, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingLimit))
    }

    /// Sets up the pipeline of a connection. Call on its loop.
    /// - Returns: false when too many wait, or the connection is gone.
    func adopt(_ channel: any Channel) -> Bool {
        do {
            try channel.syncOptions?.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator())
            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 4)
        } catch {
            return false
        }
        let isTaken = NIOLoopBoundBox(false, eventLoop: channel.eventLoop)
        // Set up on its loop, so this runs before `setup` returns.
        self.http.setup(channel: channel, logger: self.logger).assumeIsolated().whenSuccess { value in
            if case .enqueued = self.arrival.yield(value) { isTaken.value = true }
        }
        return isTaken.value
    }

    /// Opens a listener whose connections all are plain HTTP.
    /// - Throws: ``StartError`` when the port cannot be had.
    func listen(_ listener: Configuration.Listener, flag: String, group: any EventLoopGroup) async throws -> any Channel
    {
        do {
            return try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    if !self.adopt(channel) { channel.close(promise: nil) }
                    return channel.eventLoop.makeSucceededVoidFuture()
                }
                .bind(host: listener.host, port: listener.port).get()
        } catch {
            throw StartError.port(listener, flag: flag, error)
        }
    }

    /// Serves until the task is cancelled; connections are cut with it.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await connection in self.arrivals {
                group.addTask { await self.http.handle(value: connection, logger: self.logger) }
            }
            group.cancelAll()
        }
    }
}

extension StartError {
    static func port(_ listener: Configuration.Listener, flag: String, _ error: any Error) -> StartError {
        StartError(
            "cannot listen on \(listener.host):\(listener.port)", why: "\(error)",
            remedy: "Choose another \(flag), or end the process that has it.")
    }
}
