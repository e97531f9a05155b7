import NIOCore
import NIOPosix
import Routing
import Testing
import Wire

@testable import Node

@Suite struct ProbeTests {
    @Test(
        "SOCKETIO §7: only the WebSocket that is probing now speaks for an upgrade; what another one still says changes nothing"
    )
    func stray() async throws {
        let station = try Station(configuration: StationTests.configuration(), logger: StationTests.quiet)
        try await StationTests.withStation(station) { _, _ in
            let server = try station.current().live
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            try await eventLoop.submit {
                let loop = LiveLoop(eventLoop: eventLoop, number: 0, server: server)
                withExtendedLifetime(loop) { Self.strayOnLoop(loop) }
            }.get()
        }
    }

    private static func strayOnLoop(_ loop: LiveLoop) {
        let handshake = Handshake(
            domain: "localhost", source: ProxyTrust.Source(address: "127.0.0.1", isSecure: false), origin: .absent,
            headers: HeaderList([(name: String, value: String)]()), target: "/", base64: false, time: 0)
        let session = LiveSession(
            loop: loop, handshake: handshake, application: .socketIO, transport: .polling, address: .none)
        session.polling = PollingState(sid: "s")
        func open() -> WebSocketHandler {
            _ = session.upgradeRequested()
            let handler = WebSocketHandler(session: session, agreement: nil, greeting: ByteBuffer())
            session.webSocketOpened(handler)
            return handler
        }
        let givenUp = open()
        session.closeProbe()
        session.engine.probeLost()
        let probing = open()
        for text in ["2probe", "5", "4x", "nonsense"] {
            Array(text.utf8).withUnsafeBytes { session.webSocket(givenUp, text: $0) }
        }
        [UInt8](repeating: 4, count: 3).withUnsafeBytes { session.webSocket(givenUp, binary: $0) }
        session.webSocketLost(givenUp, .transportClose)
        #expect(session.webSocket == nil)
        #expect(session.polling?.probe === probing)
        #expect(session.engine.isUpgrading)
        Array("5".utf8).withUnsafeBytes { session.webSocket(probing, text: $0) }
        #expect(session.webSocket === probing)
        if let ending = session.engine.end(.forcedClose) { session.finish(ending) }
    }
}
