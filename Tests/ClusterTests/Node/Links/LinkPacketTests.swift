import NIOCore
import Routing
import Testing

@testable import Node

/// What clients may send in `link` and `peer` (SPEC LK-4, LK-9, WS-1, WS-3).
@Suite struct LinkPacketTests {
    private func link(_ text: String, longest: Int = 100) -> Result<LinkPacket, LinkPacket.Refusal> {
        ByteBuffer(string: text).withUnsafeReadableBytes { bytes in
            do throws(LinkPacket.Refusal) {
                return .success(try LinkPacket(bytes, hasAttachments: false, longestQuery: longest))
            } catch {
                return .failure(error)
            }
        }
    }

    private func peer(_ text: String, hasAttachments: Bool = false) -> Result<PeerPacket, PeerPacket.Refusal> {
        ByteBuffer(string: text).withUnsafeReadableBytes { bytes in
            do throws(PeerPacket.Refusal) {
                return .success(
                    try PeerPacket(
                        bytes, hasAttachments: hasAttachments, limits: .init(description: 20, candidate: 20)))
            } catch {
                return .failure(error)
            }
        }
    }

    @Test("A request, and a closing")
    func requests() throws {
        let open = try self.link(#"{"_id":7,"query":{"user":"bob"},"more":1}"#).get()
        guard case .open(let query) = open.request else { throw Unexpected() }
        #expect(query == ["user": "bob"])
        #expect(open.id.map { String(buffer: $0.json) } == "7")
        guard case .close("t") = try self.link(#"{"close":"t"}"#).get().request else { throw Unexpected() }
    }

    @Test(
        "LK-4: what is wrong is INVALID, with the _id as far as it could be read",
        arguments: [
            #"{"_id":"a"}"#, #"{"_id":"a","query":1,"close":"t"}"#, #"{"_id":"a","close":1}"#,
            #"{"_id":"a","query":{"x":1,"x":2}}"#, #"{"_id":"a","query":"\#(String(repeating: "x", count: 99))"}"#,
            #"{"_id":"a","query":1},2"#, #"{"_id":"a","query":{"__proto__":1}}"#,
        ])
    func invalid(_ text: String) {
        guard case .failure(let refusal) = self.link(text) else { return #expect(Bool(false), "\(text) is taken") }
        #expect(refusal.id.map { String(buffer: $0.json) } == #""a""#)
        #expect(refusal.isTooLarge == text.contains("xxx"))
    }

    @Test(
        "LK-9: one of sdp, ICE and bye is relayed, and nothing else of it",
        arguments: [
            (#""sdp":{"type":"offer","sdp":"v=0","x":1},"y":2"#, #""sdp":{"sdp":"v=0","type":"offer"}"#),
            (#""ICE":{"candidate":""}"#, #""ICE":{"candidate":""}"#), (#""ICE":null"#, #""ICE":null"#),
            (#""bye":true"#, #""bye":true"#),
        ])
    func signals(_ text: String, content: String) throws {
        let packet = try self.peer(#"{"token":"t","to":"s",\#(text)}"#).get()
        #expect((packet.token, packet.to) == ("t", "s"))
        let sorted = try JSONValue(text: ByteBuffer(string: "{\(packet.content)}"))
        #expect(try sorted == JSONValue(text: ByteBuffer(string: "{\(content)}")))
    }

    @Test(
        "LK-16: what is wrong is INVALID, with token and to as far as they could be read",
        arguments: [
            #""bye":false"#, #""sdp":"v=0""#, #""sdp":{"type":"rollback","sdp":""}"#, #""sdp":{"type":"offer"}"#,
            #""ICE":1"#, #""ICE":null,"bye":true"#, #""x":1"#, #""sdp":{"type":"offer","sdp":"012345678901234567890"}"#,
            #""ICE":{"candidate":"0123456789"}"#, #""bye":true,"bye":true"#,
        ])
    func invalidSignals(_ text: String) {
        guard case .failure(let refusal) = self.peer(#"{"token":"t","to":"s",\#(text)}"#) else {
            return #expect(Bool(false), "\(text) is taken")
        }
        #expect((refusal.token, refusal.to) == ("t", "s"))
        #expect((refusal.limit != nil) == text.contains("0123456789"))
    }

    @Test("Nobody is named where nothing could be read, and attachments are never taken")
    func unreadable() {
        for text in ["", "[]", "1", #"{"token":1,"to":null,"bye":true}"#] {
            guard case .failure(let refusal) = self.peer(text) else { return #expect(Bool(false), "\(text) is taken") }
            #expect(refusal.token == nil && refusal.to == nil && refusal.limit == nil)
        }
        guard case .failure = self.peer(#"{"token":"t","to":"s","bye":true}"#, hasAttachments: true) else {
            return #expect(Bool(false))
        }
    }

    @Test("LK-2: a Link key is that of the two parties, in either order, and of one domain and kind")
    func keys() throws {
        let ring = SigningKeyring(try SigningKeys([Array(repeating: 1, count: 32), Array(repeating: 2, count: 32)]))
        let keyring = LinkKeyring(keys: ring)
        let (alice, bob) = (LinkParty(user: "alice", client: nil), LinkParty(user: "bob", client: nil))
        let keys = keyring.keys(domain: "a.test", alice, bob)
        #expect(keys.count == 2 && Set(keys).count == 2)
        #expect(keyring.keys(domain: "a.test", bob, alice) == keys)
        let devices = (LinkParty(user: "alice", client: "x"), LinkParty(user: "bob", client: "x"))
        let others = [
            keyring.keys(domain: "b.test", alice, bob), keyring.keys(domain: "a.test", devices.0, devices.1),
            keyring.keys(domain: "a.test", alice, alice),
            keyring.keys(domain: "a.test", LinkParty(user: "alice", client: "xbob"), LinkParty(user: "", client: "")),
        ]
        #expect(Set(others.map { $0[0] } + [keys[0]]).count == 5)
        // Rotated: what was made under the older key is still found.
        _ = ring.replace(with: try SigningKeys([Array(repeating: 2, count: 32), Array(repeating: 1, count: 32)]))
        #expect(Set(keyring.keys(domain: "a.test", alice, bob)) == Set(keys))
    }

    private struct Unexpected: Error {}
}
