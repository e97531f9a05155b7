import NIOCore
import Testing

@testable import Wire

@Suite struct WireWebSocketHandshakeTests {
    private static let good = [
        ("Upgrade", "websocket"), ("Connection", "keep-alive, Upgrade"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]

    private func verdict(
        _ fields: [(String, String)], isGET: Bool = true, isHTTP11: Bool = true
    ) -> WebSocketHandshake.Verdict {
        var handshake = WebSocketHandshake()
        for (name, value) in fields { handshake.note(name: name, value: value) }
        return handshake.verdict(isGET: isGET, isHTTP11: isHTTP11)
    }

    @Test("SOCKETIO §6: RFC 6455's own example is accepted and answered")
    func accepted() {
        var handshake = WebSocketHandshake()
        for (name, value) in Self.good { handshake.note(name: name, value: value) }
        #expect(handshake.verdict(isGET: true, isHTTP11: true) == .accept)
        let answer = WireFixture.written { handshake.writeAccept(into: &$0) }
        #expect(WireFixture.string(answer) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test("Names, tokens and lists are compared without case; blanks do not matter")
    func caseAndBlanks() {
        #expect(
            self.verdict([
                ("uPGRADE", "h2c , WebSocket "), ("CONNECTION", "close"), ("connection", "\tupgrade"),
                ("sec-websocket-version", " 13 "), ("SEC-WEBSOCKET-KEY", " dGhlIHNhbXBsZSBub25jZQ== "),
            ]) == .accept)
    }

    @Test("SOCKETIO §6: what is missing or wrong decides the answer")
    func refused() {
        func without(_ name: String, _ replacement: [(String, String)] = []) -> WebSocketHandshake.Verdict {
            self.verdict(Self.good.filter { $0.0 != name } + replacement)
        }
        #expect(without("Upgrade") == .notAnUpgrade)
        #expect(without("Upgrade", [("Upgrade", "websockets")]) == .notAnUpgrade)
        #expect(without("Connection") == .malformed)
        #expect(without("Connection", [("Connection", "keep-alive")]) == .malformed)
        #expect(without("Sec-WebSocket-Key") == .malformed)
        for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ==x", "dGhlIHNhbXBsZS!ub25jZQ=="] {
            #expect(without("Sec-WebSocket-Key", [("Sec-WebSocket-Key", key)]) == .malformed, "\(key)")
        }
        #expect(self.verdict(Self.good + [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]) == .malformed)
        #expect(without("Sec-WebSocket-Version") == .unsupportedVersion)
        #expect(without("Sec-WebSocket-Version", [("Sec-WebSocket-Version", "8")]) == .unsupportedVersion)
        #expect(self.verdict(Self.good + [("Sec-WebSocket-Version", "13")]) == .unsupportedVersion)
        #expect(self.verdict(Self.good, isGET: false) == .malformed)
        #expect(self.verdict(Self.good, isHTTP11: false) == .malformed)
    }

    @Test("RFC 6455 §9.1, §4.1: offers of several fields come together in order; what breaks the grammar is refused")
    func offers() {
        var handshake = WebSocketHandshake()
        for (name, value) in Self.good + [
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x"),
            ("sec-websocket-extensions", " y ;a=\"b\\c\" ; d"), ("Sec-WebSocket-Protocol", "chat, superchat"),
            ("Sec-WebSocket-Protocol", "v1.json"),
        ] {
            handshake.note(name: name, value: value)
        }
        #expect(handshake.verdict(isGET: true, isHTTP11: true) == .accept)
        #expect(
            handshake.extensions == [
                WebSocketExtension(
                    name: "permessage-deflate", parameters: [.init(name: "client_max_window_bits", value: nil)]),
                WebSocketExtension(name: "x", parameters: []),
                WebSocketExtension(
                    name: "y", parameters: [.init(name: "a", value: "bc"), .init(name: "d", value: nil)]),
            ])
        #expect(handshake.subprotocols == ["chat", "superchat", "v1.json"])
        for value in ["", ",", ";", "a;", "a;=1", "a;b=", "a;b=\"", "a;b=\"\"", "a;b=\"x y\"", "a b", "a/b", "a;b=c d"]
        {
            #expect(self.verdict(Self.good + [("Sec-WebSocket-Extensions", value)]) == .malformed, "\(value)")
        }
        for value in ["", ",", "a,", "a,,b", "a b", "a, a", "a;b", "\"a\"", "a/b"] {
            #expect(self.verdict(Self.good + [("Sec-WebSocket-Protocol", value)]) == .malformed, "\(value)")
        }
        #expect(
            self.verdict(Self.good + [("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Protocol", "a")]) == .malformed)
    }

    @Test("SHA-1 of RFC 3174's examples, over block borders")
    func sha1() {
        func hex(_ text: String) -> String {
            let (a, b, c, d, e) = Array(text.utf8).withUnsafeBytes { SHA1.hash($0) }
            return [a, b, c, d, e].map { word in
                let digits = String(word, radix: 16)
                return String(repeating: "0", count: 8 - digits.count) + digits
            }.joined()
        }
        #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(hex(String(repeating: "a", count: 1_000)) == "291e9a6c66994949b57ba5e650361e98fc36b1ba")
    }
}
