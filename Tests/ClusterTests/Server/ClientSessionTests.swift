import NIOCore
import Testing
import Wire

@testable import Server

/// The client's end of Engine.IO 4 and Socket.IO 5, by transcripts (SOCKETIO §3, §4, §10, §14).
@Suite struct ClientSessionTests {
    private static let handshake =
        #"0{"sid":"x","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#

    private func receive(_ text: String, _ session: inout ClientSession) -> ClientSession.Event {
        ByteBuffer(string: text).withUnsafeReadableBytes { session.receive($0) }
    }

    private func live() -> ClientSession {
        var session = ClientSession()
        _ = self.receive(Self.handshake, &session)
        _ = self.receive(#"40{"sid":"s","pid":"p"}"#, &session)
        return session
    }

    @Test("Handshake, CONNECT, heartbeat (§4, §8, §14.1)")
    func connecting() {
        var session = ClientSession()
        #expect(self.receive(Self.handshake, &session) == .open(silence: .milliseconds(500)))
        #expect(session.state == .awaitingConnect)
        #expect(self.receive("2", &session) == .ping)
        #expect(self.receive("6", &session) == .nothing)
        #expect(self.receive(#"40{"sid":"s","pid":"p"}"#, &session) == .connected(sid: "s", pid: "p"))
        #expect(session.state == .live)
        #expect(self.receive("2", &session) == .ping)
    }

    @Test("Without recovery there is no pid (§11, 8)")
    func noPID() {
        var session = ClientSession()
        _ = self.receive(Self.handshake, &session)
        #expect(self.receive(#"40{"sid":"s"}"#, &session) == .connected(sid: "s", pid: nil))
    }

    @Test("Replayed events come before the answer to CONNECT (§14.1, 5)")
    func replay() throws {
        var session = ClientSession()
        _ = self.receive(Self.handshake, &session)
        let text = #"42["msg",[1,2,3,"x"],"Q1"]"#
        guard case .event(let packet) = self.receive(text, &session) else {
            Issue.record("no event")
            return
        }
        #expect(session.state == .awaitingConnect)
        ByteBuffer(string: text).withUnsafeReadableBytes { whole in
            let body = UnsafeRawBufferPointer(rebasing: whole[1...])
            #expect(packet.isEvent("msg", in: body))
            let json = UnsafeRawBufferPointer(rebasing: body[packet.payload])
            let arguments = ArgumentReader(event: json)
            let first = arguments.first.flatMap { LoadPayload(UnsafeRawBufferPointer(rebasing: json[$0])) }
            #expect(first == LoadPayload(stream: 1, number: 2, due: 3))
            #expect(
                arguments.last.flatMap { ArgumentReader.string(UnsafeRawBufferPointer(rebasing: json[$0])) } == "Q1")
        }
    }

    @Test("Acks carry their id (§12)")
    func acks() {
        var session = self.live()
        guard case .ack(let id, _) = self.receive(#"437[{"didReceive":true}]"#, &session) else {
            Issue.record("no ack")
            return
        }
        #expect(id == 7)
    }

    @Test("Refusal and ends (§11, 3 and 12)")
    func ends() {
        var refused = ClientSession()
        _ = self.receive(Self.handshake, &refused)
        #expect(self.receive(#"44{"message":"no"}"#, &refused) == .refused("no"))
        #expect(refused.state == .ended)
        var disconnected = self.live()
        #expect(self.receive("41", &disconnected) == .disconnected)
        var closed = self.live()
        #expect(self.receive("1", &closed) == .closed)
    }

    @Test(
        "What no server may send is told, not swallowed",
        arguments: ["", "9", "42", "4x", #"42["#, #"40{"sid":"again"}"#, #"43["no id"]"#, #"0{"sid":"again"}"#])
    func violations(text: String) {
        var session = self.live()
        guard case .violation = self.receive(text, &session) else {
            Issue.record("\(text) passed")
            return
        }
        #expect(session.state == .ended)
    }

    @Test("Nothing comes before the handshake", arguments: ["2", #"40{"sid":"s"}"#, #"0{"sid":"x"}"#])
    func early(text: String) {
        var session = ClientSession()
        guard case .violation = self.receive(text, &session) else {
            Issue.record("\(text) passed")
            return
        }
    }
}
