import NIOCore
import Testing

@testable import Wire

/// SPEC EV-4: what waits for a slow reader, where only the latest of each key counts.
@Suite struct LatestPacketsTests {
    private func packet(_ text: String) -> OutboundPacket { OutboundPacket(text: ByteBuffer(string: text)) }

    private func texts(_ packets: [OutboundPacket]) -> [String] { packets.map { String(buffer: $0.text) } }

    @Test("EV-4: a newer one replaces an older one of its key, and keys keep their order")
    func replaces() {
        var latest = LatestPackets()
        let outcomes = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")].map {
            latest.put(self.packet($1), key: $0, limit: 1_000)
        }
        #expect(outcomes == [.added, .added, .replaced, .added])
        #expect(self.texts(latest.take()) == ["3", "2", "4"])
        #expect(latest.isEmpty)
        #expect(latest.take().isEmpty)
    }

    @Test("EV-4: bytes and keys are bounded, and replacing frees what it replaces")
    func bounded() {
        var latest = LatestPackets()
        #expect(latest.put(self.packet("1234567890"), key: "a", limit: 150) == .added)
        #expect(latest.put(self.packet("1234567890"), key: "b", limit: 150) == .added)
        #expect(latest.put(self.packet("1"), key: "c", limit: 150) == .full)
        #expect(latest.put(self.packet("1"), key: "a", limit: 150) == .replaced)
        #expect(latest.put(self.packet("1234567890123"), key: "a", limit: 150) == .full)
        var many = LatestPackets()
        for key in 0..<LatestPackets.maximumKeys { _ = many.put(self.packet("1"), key: "\(key)", limit: .max) }
        #expect(many.put(self.packet("1"), key: "more", limit: .max) == .full)
        #expect(many.put(self.packet("2"), key: "0", limit: .max) == .replaced)
    }

    @Test(
        "§12: an id is put where a packet of any namespace has it",
        arguments: [
            (#"2["e",1]"#, "/", #"217["e",1]"#), (#"2/chat,["e"]"#, "/chat", #"2/chat,17["e"]"#),
            (#"52-["e",{"_placeholder":true,"num":0}]"#, "/", #"52-17["e",{"_placeholder":true,"num":0}]"#),
            (#"510-/a[b-,["e"]"#, "/a[b-", #"510-/a[b-,17["e"]"#),
        ])
    func numbered(text: String, namespace: String, expected: String) {
        let packet = OutboundPacket(text: ByteBuffer(string: text), attachments: [ByteBuffer(bytes: [1])])
        let numbered = packet.numbered(17, namespace: namespace)
        #expect(String(buffer: numbered.text) == expected)
        #expect(numbered.attachments == packet.attachments)
    }
}
