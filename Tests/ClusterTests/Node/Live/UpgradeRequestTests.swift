import Testing

@testable import Node

/// The head of a WebSocket handshake, read by ourselves (SOCKETIO §18, CVE-2024-37890).
@Suite struct UpgradeRequestTests {
    private func parse(
        _ head: String, limits: UpgradeRequest.Limits = LimitOptions().head
    ) throws(UpgradeRequest.Refusal) -> UpgradeRequest {
        try UpgradeRequest(head: head.utf8, limits: limits)
    }

    @Test("A head is read: method, target, fields without the white space around them")
    func fields() throws {
        let request = try self.parse(
            "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: a.example\r\nX-Empty:\r\nX:\t b c \r\n\r\n")
        #expect(request.method == "GET")
        #expect(request.target == "/socket.io/?EIO=4")
        #expect(request.fields.map { "\($0.name)=\($0.value)" } == ["Host=a.example", "X-Empty=", "X=b c"])
        let marked = try self.parse("GET / HTTP/1.1\r\nX: \u{301}b \u{301} \r\n\r\n")
        #expect(marked.fields.map { Array($0.value.utf8) } == [Array("\u{301}b \u{301}".utf8)])
    }

    @Test(
        "SOCKETIO §18: what is no head is refused",
        arguments: [
            "GET /\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "GET /  HTTP/1.1\r\n\r\n", "\r\n\r\n",
            "GET / HTTP/1.1\r\nNo colon\r\n\r\n", "GET / HTTP/1.1\r\n: no name\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\nBad name: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\u{0}c\r\n\r\n", "GET / HTTP/1.1\r\nA: b\u{7F}\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n",
            // A blank is a blank, also in front of a combining mark.
            "GET / \u{301}x HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n \u{301}A: b\r\n\r\n",
        ])
    func malformed(head: String) {
        #expect(throws: UpgradeRequest.Refusal.malformed) { try self.parse(head) }
    }

    @Test("SOCKETIO §18: long targets and many fields are refused by name")
    func limits() {
        var limits = LimitOptions().head
        limits.targetBytes = 10
        limits.fieldCount = 2
        #expect(throws: UpgradeRequest.Refusal.targetTooLong) {
            try self.parse("GET /0123456789 HTTP/1.1\r\n\r\n", limits: limits)
        }
        #expect(throws: UpgradeRequest.Refusal.tooManyFields) {
            try self.parse("GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n", limits: limits)
        }
    }

    @Test("OP-4: random heads never trap", arguments: [UInt64(11), 12, 13])
    func random(seed: UInt64) {
        var state = seed
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let alphabet = Array("GET / HTTP/1.1\r\n: \u{0}\u{FF}abc\t,".utf8)
        for _ in 0..<2_000 {
            let bytes = (0..<Int(next() % 120)).map { _ in alphabet[Int(next() % UInt64(alphabet.count))] }
            _ = try? UpgradeRequest(head: bytes, limits: LimitOptions().head)
        }
    }
}
