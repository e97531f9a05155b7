import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import Node

/// A station as an application meets it: in memory, on free ports, with real requests.
@Suite struct StationTests {
    static func configuration() -> Configuration {
        var configuration = Configuration.development
        configuration.listener.port = 0
        configuration.control = .init(port: 0)
        configuration.handlesSignals = false
        configuration.eventLoops = 2
        return configuration
    }

    static var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    /// Runs a station in a service group of the test's own until `body` returns.
    /// - Parameter body: gets the addresses of both listeners.
    static func withStation(
        _ station: Station,
        _ body: @escaping @Sendable (_ clients: SocketAddress, _ control: SocketAddress) async throws -> Void
    ) async throws {
        let started = AsyncStream<[String]>.makeStream(bufferingPolicy: .bufferingOldest(1))
        station.onStart { started.continuation.yield($0) }
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: station, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: self.quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                for await lines in started.stream {
                    try await body(
                        try self.address("clients: ", in: lines), try self.address("control: ", in: lines))
                    break
                }
                await group.triggerGracefulShutdown()
            }
            try await tasks.waitForAll()
        }
    }

    private static func address(_ label: String, in lines: [String]) throws -> SocketAddress {
        let line = try #require(lines.first { $0.hasPrefix(label) })
        let port = try #require(line.split(separator: ":").last?.split(separator: "/").first.flatMap { Int($0) })
        return try SocketAddress(ipAddress: "127.0.0.1", port: port)
    }

    /// One request on a connection of its own; the whole answer as text.
    static func request(_ text: String, to address: SocketAddress) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await part in inbound { answer += String(buffer: part) }
            return answer
        }
    }

    @Test("DESIGN §3: a station runs in an application's own service group, and ends with it")
    func inServiceGroup() async throws {
        struct Login: Decodable { let user, device: String }
        let station = try Station(configuration: Self.configuration(), logger: Self.quiet)
        station.action(.post, "/login") { request, agent, reply in
            let who = try request.body(as: Login.self)
            try await agent.setActive(user: who.user, client: who.device)
            reply.content(["hello": who.user])
        }
        try await Self.withStation(station) { clients, control in
            let body = #"{"user":"alice","device":"phone"}"#
            let answer = try await Self.request(
                "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)", to: clients)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("Set-Cookie: session=v1."))
            #expect(answer.hasSuffix(#"{"content":{"hello":"alice"},"events":[]}"#))
            let ready = try await Self.request(
                "GET /.well-known/submergence/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                to: control)
            #expect(ready.hasPrefix("HTTP/1.1 200 OK\r\n"))
            let isActive = try await station.isActive(user: "alice")
            #expect(isActive == false)
            let receipt = try await station.send(to: "alice", "hello", ["a": 1])
            #expect(receipt.didReceive == false)
            #expect(receipt.isComplete)
        }
        await #expect(throws: StationError.notRunning) { try await station.send(to: "alice", "hello") }
    }

    @Test("DESIGN §9: in development a foreign origin is refused at the door, and a foreign host has no domain")
    func foreign() async throws {
        let station = try Station(configuration: Self.configuration(), logger: Self.quiet)
        try await Self.withStation(station) { clients, _ in
            func handshake(_ fields: String) -> String {
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\(fields)\r\n"
            }
            let foreign = try await Self.request(
                handshake("Host: localhost\r\nOrigin: https://evil.example\r\n"), to: clients)
            #expect(foreign.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(foreign.hasSuffix("Forbidden"))
            let misdirected = try await Self.request(handshake("Host: evil.example\r\n"), to: clients)
            #expect(misdirected.hasPrefix("HTTP/1.1 421 "))
            let hostless = try await Self.request(handshake(""), to: clients)
            #expect(hostless.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test("EV-4: names that are not the application's, and events that are too large, are refused by name")
    func refusedSends() async throws {
        var configuration = Self.configuration()
        configuration.live.maximumEvent = 100
        let station = try Station(configuration: configuration, logger: Self.quiet)
        try await Self.withStation(station) { _, _ in
            await #expect(throws: StationError.reservedName("ready")) { try await station.send(to: "a", "ready") }
            await #expect(throws: StationError.reservedName("connect")) { try await station.send(to: "a", "connect") }
            await #expect(throws: StationError.self) {
                try await station.send(to: "a", "e", String(repeating: "x", count: 200))
            }
            await #expect(throws: StationError.invalidIdentifier("")) { try await station.send(to: "", "e") }
            await #expect(throws: StationError.unknownDomain("other.example")) {
                try await station.send(to: "a", domain: "other.example", "e")
            }
        }
    }

    @Test("A taken port is said with what, why and what to do")
    func takenPort() async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        var configuration = Self.configuration()
        configuration.listener.port = port
        let station = try Station(configuration: configuration, logger: Self.quiet)
        let error = await #expect(throws: StartError.self) { try await station.run() }
        #expect(error?.what == "cannot listen on 127.0.0.1:\(port)")
        #expect(error?.remedy.contains("--port") == true)
        try await listener.close()
    }

    @Test("MongoDB that is away is said with what, why and what to do")
    func databaseAway() async throws {
        var configuration = Self.configuration()
        configuration.mongo = .init(uri: "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500")
        let station = try Station(configuration: configuration, logger: Self.quiet)
        let error = await #expect(throws: StartError.self) { try await station.run() }
        #expect(error?.what == "cannot use MongoDB")
        #expect(error?.remedy.contains("--mongodb") == true)
    }

    @Test("OP-1, DESIGN §7, §9: what is not safe does not start")
    func unsafe() {
        var open = Configuration.development
        open.listener.host = "0.0.0.0"
        #expect(throws: StartError.self) { try Station(configuration: open, logger: Self.quiet) }
        #expect(throws: StartError.self) { try Station(configuration: Configuration(), logger: Self.quiet) }
        var keyless = Configuration()
        keyless.domains = [.init("app.example")]
        #expect(throws: StartError.self) { try Station(configuration: keyless, logger: Self.quiet) }
        keyless.signingKeys = .file("keys")
        #expect(throws: Never.self) { try Station(configuration: keyless, logger: Self.quiet) }
        keyless.control = .init(host: "0.0.0.0", port: 9080)
        #expect(throws: StartError.self) { try Station(configuration: keyless, logger: Self.quiet) }
        var limits = Configuration.development
        limits.live.pingInterval = 0
        #expect(throws: StartError.self) { try Station(configuration: limits, logger: Self.quiet) }
    }
}
