import NIOCore
import Synchronization
import Testing

@testable import Node

/// The application's judgement on handshakes, over real connections (SOCKETIO §2.3, §2.4).
@Suite struct NodeAllowRequestTests {
    private struct Broken: Error {}

    private static func poll(_ query: String, _ fields: String = "") -> String {
        "GET /chat?EIO=4&transport=polling\(query) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(fields)\r\n"
    }

    private static func upgrade(_ query: String) -> String {
        "GET /chat/?EIO=4&transport=websocket\(query) HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            // A close frame of a client in a hurry, so that an accepted connection ends.
            + "\u{08}"
    }

    private static func station(_ configuration: Configuration) throws -> Station {
        var configuration = configuration
        configuration.live.transport.path = "/chat/"
        let station = try Station(configuration: configuration, logger: StationTests.quiet)
        station.allowRequest { handshake in
            switch handshake.query("judge") {
            case "no": return .refuse("not \"you\"")
            case "throw": throw Broken()
            case "header": return handshake.header("X-Key") == ["1"] ? .allow : .refuse
            case "who":
                return .refuse("\(handshake.domain) \(handshake.address) \(handshake.isSecure) \(handshake.transport)")
            case "late":
                // It never answers; the station's end cancels it.
                for await _ in AsyncStream<Never>.makeStream().stream {}
                return .allow
            default: return .allow
            }
        }
        return station
    }

    @Test("SOCKETIO §2.4: a refusal is code 4 with the hook's text, 403 on plain HTTP and 400 on an upgrade")
    func refusals() async throws {
        let station = try Self.station(StationTests.configuration())
        try await StationTests.withStation(station) { clients, _ in
            let refused = try await StationTests.request(Self.poll("&judge=no"), to: clients)
            #expect(refused.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
            #expect(refused.hasSuffix("\r\n\r\n{\"code\":4,\"message\":\"not \\\"you\\\"\"}"))
            let thrown = try await StationTests.request(Self.poll("&judge=throw"), to: clients)
            #expect(thrown.hasSuffix("{\"code\":4,\"message\":\"Forbidden\"}"))
            let upgrade = try await StationTests.request(Self.upgrade("&judge=no"), to: clients)
            #expect(upgrade.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(upgrade.hasSuffix("\r\n\r\nnot \"you\""))
            let who = try await StationTests.request(
                Self.poll("&judge=who", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"), to: clients)
            #expect(who.hasSuffix("\"localhost 192.0.2.7 true polling\"}"))
            let header = try await StationTests.request(Self.poll("&judge=header"), to: clients)
            #expect(header.hasPrefix("HTTP/1.1 403 "))
        }
    }

    @Test("Who is allowed gets a session, also over WebSocket, with what it sent meanwhile")
    func allowed() async throws {
        let station = try Self.station(StationTests.configuration())
        try await StationTests.withStation(station) { clients, _ in
            let poll = try await StationTests.request(Self.poll("&judge=header", "X-Key: 1\r\n"), to: clients)
            #expect(poll.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(poll.contains("\r\n\r\n0{\"sid\":\""))
            // The early byte is no frame of a client, which closes the WebSocket with 1002 behind the open packet.
            let upgrade = try await StationTests.request(Self.upgrade(""), to: clients)
            #expect(upgrade.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(upgrade.contains("0{\"sid\":\""))
        }
    }

    @Test("A hook that does not answer in time: 503, and the client comes back by itself (ND-13)")
    func late() async throws {
        var configuration = StationTests.configuration()
        configuration.live.transport.allowRequestTimeout = 0.05
        let station = try Self.station(configuration)
        try await StationTests.withStation(station) { clients, _ in
            let poll = try await StationTests.request(Self.poll("&judge=late"), to: clients)
            #expect(poll.hasPrefix("HTTP/1.1 503 "))
            let upgrade = try await StationTests.request(Self.upgrade("&judge=late"), to: clients)
            #expect(upgrade.hasPrefix("HTTP/1.1 503 "))
        }
    }

    @Test("SOCKETIO §2.1: the path is as configured, with and without its last slash, and no other")
    func paths() async throws {
        let station = try Self.station(StationTests.configuration())
        try await StationTests.withStation(station) { clients, _ in
            let other = try await StationTests.request(
                "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                to: clients)
            #expect(other.hasPrefix("HTTP/1.1 404 "))
        }
    }

    @Test("SOCKETIO §2.3, §4: transports and upgrades can be switched off")
    func transports() async throws {
        var configuration = StationTests.configuration()
        configuration.live.transport.transports = [.polling]
        let station = try Self.station(configuration)
        try await StationTests.withStation(station) { clients, _ in
            let poll = try await StationTests.request(Self.poll(""), to: clients)
            #expect(poll.contains("\"upgrades\":[]"))
            let upgrade = try await StationTests.request(Self.upgrade(""), to: clients)
            #expect(upgrade.hasSuffix("Transport unknown"))
        }
    }
}
