import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The control of the macro benchmarks: what SwiftNIO and the kernel of this machine give at this minute to a server that
/// does nothing. It knows no HTTP, no WebSocket and no Socket.IO: it sends back the bytes that it reads.
///
///     BareEcho serve PORT
///     BareEcho load PORT CONNECTIONS IN_FLIGHT SECONDS      prints messages a second
@main
enum BareEcho {
    /// Bytes of a message: those of an `echo` event of `submergence load` in its frame.
    static let messageSize = 78

    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch arguments.first {
        case "serve":
            guard arguments.count == 2, let port = UInt16(arguments[2]) else { return self.usage() }
            try await self.serve(Int(port))
        case "load":
            let numbers = arguments.dropFirst().compactMap { Int($0) }
            guard numbers.count == 4, numbers.allSatisfy({ $0 > 0 }) else { return self.usage() }
            try await self.load(numbers[0], connections: numbers[1], inFlight: numbers[2], seconds: numbers[3])
        default: self.usage()
        }
    }

    private static func usage() {
        print("usage: BareEcho serve PORT | BareEcho load PORT CONNECTIONS IN_FLIGHT SECONDS")
        exit(64)
    }

    private static func serve(_ port: Int) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: 1))
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(EchoHandler())
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        try await server.closeFuture.get()
    }

    private static func load(_ port: Int, connections: Int, inFlight: Int, seconds: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let counter = try await loop.submit { NIOLoopBound(Counter(), eventLoop: loop) }.get()
        for _ in 0..<connections {
            _ = try await ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.maxMessagesPerRead, value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = PingHandler(inFlight: inFlight, counter: counter.value)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        }
        let before = try await loop.submit { counter.value.messages }.get()
        let began = NIODeadline.now()
        try await Task.sleep(for: .seconds(seconds))
        let after = try await loop.submit { counter.value.messages }.get()
        let elapsed = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        print(Int(Double(after - before) / elapsed))
    }
}
