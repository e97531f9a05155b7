import Metrics
import NIOCore
import Testing

@testable import Node

/// SOCKETIO §18: limits that need a station of their own, each hit once: what the client or the application is told, and that
/// this metric moves and no other. Those that any server shows are in `test_limits.py`.
@Suite("SOCKETIO §18: limits and their metrics", .timeLimit(.minutes(1))) struct LimitMetricTests {
    private typealias Body = @Sendable (_ clients: SocketAddress) async throws -> Void

    /// Runs a station whose metrics are its own.
    /// - Returns: what `submergence_limits_hit_total` has for each limit that was hit.
    private static func hits(
        _ change: (inout LiveOptions) -> Void, _ register: (Station) -> Void = { _ in }, _ body: @escaping Body
    ) async throws -> [String: Int] {
        var configuration = StationTests.configuration()
        change(&configuration.live)
        let registry = PrometheusMetricsFactory()
        let station = try Station(configuration: configuration, logger: StationTests.quiet)
        register(station)
        try await withMetricsFactory(registry) {
            try await StationTests.withStation(station) { clients, _ in try await body(clients) }
        }
        var hits: [String: Int] = [:]
        for match in registry.text().matches(of: /submergence_limits_hit_total\{limit="([^"]+)"\} ([0-9]+)/) {
            if let count = Int(match.2), count > 0 { hits[String(match.1)] = count }
        }
        return hits
    }

    private static func refusal(_ body: () async throws -> PollingTestClient) async -> String? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? PollingTestClient.Refused)?.status ?? "\(error)"
        }
    }

    @Test("namespaces: one more than a session may join is refused, the others stay")
    func namespaces() async throws {
        let hits = try await Self.hits({ $0.limits.namespacesPerSession = 2 }, { _ = $0.namespaces { _, _ in true } }) {
            let client = try await PollingTestClient.open($0)
            try await client.join()
            for name in ["/a", "/b"] { try await client.post("40\(name),") }
            #expect(try await client.receive("44/b,").contains("message"))
            try await client.post("41/a,")
            try await client.post("40/b,")
            _ = try await client.receive("40/b,")
        }
        #expect(hits == ["namespaces": 1])
    }

    @Test("dynamic_namespaces: a name more than the node keeps is refused; those that are there can be joined")
    func dynamicNamespaces() async throws {
        let hits = try await Self.hits({ $0.dynamicNamespaces = 1 }, { _ = $0.namespaces { _, _ in true } }) {
            let (one, two) = (try await PollingTestClient.open($0), try await PollingTestClient.open($0))
            try await one.join()
            try await one.post("40/a,")
            _ = try await one.receive("40/a,")
            try await two.join(as: "bob")
            try await two.post("40/b,")
            #expect(try await two.receive("44/b,") == #"44/b,{"message":"Invalid namespace"}"#)
            try await two.post("40/a,")
            _ = try await two.receive("40/a,")
        }
        #expect(hits == ["dynamic_namespaces": 1])
    }

    @Test("pending_acks: the request beyond those that a socket owes fails at once")
    func pendingAcks() async throws {
        func register(_ station: Station) {
            station.on(event: "go") { event in
                let socket = event.socket
                // Whichever is second fails while the first one waits.
                let outcomes = await withTaskGroup(of: String.self, returning: [String].self) { group in
                    for _ in 0..<2 {
                        group.addTask {
                            do {
                                return try await socket.emitWithAck("ask").argument(0, as: String.self)
                            } catch {
                                return "\(error)"
                            }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                try event.acknowledge(outcomes)
            }
        }
        let hits = try await Self.hits({ $0.limits.pendingAcks = 1 }, register) {
            let client = try await PollingTestClient.open($0)
            try await client.join()
            try await client.post(#"421["go"]"#)
            let ask = try await client.receive("42")
            let id = try #require(ask.firstMatch(of: /^42([0-9]+)\["ask"\]$/)?.1)
            try await client.post("43\(id)[\"here\"]")
            #expect(try await client.receive("431") == #"431[["tooManyAcknowledgements","here"]]"#)
        }
        #expect(hits == ["pending_acks": 1])
    }

    /// A handler `join` that answers with the error, or `none`.
    private static func joins(_ station: Station) {
        station.on(event: "join") { event in
            do {
                try await event.socket.join(try event.argument(0, as: [String].self))
                try event.acknowledge("none")
            } catch let error as SocketError {
                try event.acknowledge("\(error)", await event.socket.rooms.count)
            }
        }
    }

    @Test("rooms: all or none")
    func rooms() async throws {
        let hits = try await Self.hits({ $0.limits.roomsPerSocket = 2 }, Self.joins) {
            let client = try await PollingTestClient.open($0)
            try await client.join()
            try await client.post(#"421["join",["a","b","c"]]"#)
            #expect(try await client.receive("431") == #"431["tooManyRooms(limit: 2)",1]"#)
            try await client.post(#"422["join",["a","b"]]"#)
            #expect(try await client.receive("432") == #"432["none"]"#)
        }
        #expect(hits == ["rooms": 1])
    }

    @Test("room_name: in bytes")
    func roomName() async throws {
        let hits = try await Self.hits({ $0.limits.maximumRoomName = 4 }, Self.joins) {
            let client = try await PollingTestClient.open($0)
            try await client.join()
            try await client.post(#"421["join",["abcé"]]"#)
            #expect(try await client.receive("431") == #"431["roomNameLength(limit: 4)",1]"#)
            try await client.post(#"422["join",["abcd"]]"#)
            #expect(try await client.receive("432") == #"432["none"]"#)
        }
        #expect(hits == ["room_name": 1])
    }

    @Test("sessions: 503, on both transports")
    func sessions() async throws {
        let hits = try await Self.hits({ $0.maximumSessions = 1 }) { clients in
            _ = try await PollingTestClient.open(clients)
            #expect(await Self.refusal { try await .open(clients) } == "HTTP/1.1 503 Service Unavailable")
            #expect(try await StationTests.request(Self.upgrade(), to: clients).hasPrefix("HTTP/1.1 503 "))
        }
        #expect(hits == ["sessions": 2])
    }

    private static func upgrade(of sid: String? = nil) -> String {
        "GET /socket.io/?EIO=4&transport=websocket\(sid.map { "&sid=\($0)" } ?? "") HTTP/1.1\r\nHost: localhost\r\n"
            + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    }

    @Test("upgrade_time: the WebSocket that goes no further is closed, and the session polls on")
    func upgradeTime() async throws {
        let hits = try await Self.hits({ $0.transport.upgradeTimeout = 0.05 }) {
            let client = try await PollingTestClient.open($0)
            try await client.join()
            let answer = try await StationTests.request(Self.upgrade(of: client.sid), to: $0)
            #expect(answer.hasPrefix("HTTP/1.1 101 "))
            try await client.post("40/nowhere,")
            _ = try await client.receive("44/nowhere,")
        }
        #expect(hits == ["upgrade_time": 1])
    }

    @Test("address_unjoined: 429 until one has joined, and not for others")
    func unjoined() async throws {
        let hits = try await Self.hits({ $0.limits.unjoinedPerAddress = 1 }) { clients in
            let (one, other) = ("X-Forwarded-For: 203.0.113.1\r\n", "X-Forwarded-For: 203.0.113.2\r\n")
            let first = try await PollingTestClient.open(clients, fields: one)
            #expect(
                await Self.refusal { try await .open(clients, fields: one) } == "HTTP/1.1 429 Too Many Requests")
            #expect(await Self.refusal { try await .open(clients, fields: other) } == nil)
            try await first.join()
            #expect(await Self.refusal { try await .open(clients, fields: one) } == nil)
        }
        #expect(hits == ["address_unjoined": 1])
    }

    @Test("addresses: who comes when the ledger is full is let in, and not counted")
    func addresses() async throws {
        let hits = try await Self.hits({
            $0.limits.socketsPerAddress = 1
            $0.limits.trackedAddresses = 1
        }) { clients in
            // Sixteen ledgers of at least one address each: of seventeen addresses one finds its ledger full.
            for number in 1...17 {
                let fields = "X-Forwarded-For: 203.0.113.\(number)\r\n"
                #expect(await Self.refusal { try await .open(clients, fields: fields) } == nil)
            }
        }
        #expect(hits.keys.sorted() == ["addresses"])
    }
}
