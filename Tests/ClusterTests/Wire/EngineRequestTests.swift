import Testing

@testable import Wire

@Suite struct WireEngineRequestTests {
    private static let options = EngineOptions()

    private func verdict(
        _ query: String, method: EngineRequest.Method = .get, isUpgrade: Bool = false, isOriginLegal: Bool = true,
        session: EngineTransport? = nil, isAllowed: Bool = true, options: EngineOptions = options
    ) throws -> EngineRequest.Verdict {
        try EngineRequest(query: query).verdict(
            method: method, isUpgrade: isUpgrade, isOriginLegal: isOriginLegal, session: session, isAllowed: isAllowed,
            options: options)
    }

    @Test("SOCKETIO §2.2: parameters are read, decoded, and the last of a name counts")
    func parameters() throws {
        let request = try EngineRequest(
            query: "EIO=3&EIO=4&transport=web&transport=polling&t=abc&b64=1&sid=a%5Fb&x=%zz".replacing(
                "%zz", with: "%20"))
        #expect(request.isVersion4)
        #expect(request.transport == .polling)
        #expect(request.sid == "a_b")
        #expect(request.base64)
        let plain = try EngineRequest(query: "EIO=4&sid=&transport=websocket&&=&flag")
        #expect(plain.sid == nil)
        #expect(plain.transport == .websocket)
        #expect(!plain.base64)
        #expect(try EngineRequest(query: "").transport == nil)
    }

    @Test(
        "SOCKETIO §2.2: a malformed query is a 400, never a crash",
        arguments: [
            "EIO=4&x=%", "EIO=4&x=%4", "EIO=4&x=%zz", "EIO=4&%ff=1", "x=%c3%28",
            String(repeating: "a=1&", count: 101),
        ])
    func malformed(query: String) {
        #expect(throws: EngineErrorCode.badRequest) { try EngineRequest(query: query) }
    }

    @Test("Pairs are handed out decoded and in order")
    func pairs() {
        var pairs: [String] = []
        let isWellFormed = WireFixture.withBytes("a=1&b=x%3Dy+z&c&a=%C3%A9") { query in
            EngineQuery.forEach(query) { pairs.append("\($0)|\($1)") }
        }
        #expect(isWellFormed)
        #expect(pairs == ["a|1", "b|x=y z", "c|", "a|é"])
    }

    @Test(
        "SOCKETIO §2.3: handshakes",
        arguments: [
            ("EIO=4&transport=polling", EngineRequest.Method.get, false, EngineRequest.Verdict.handshake(.polling)),
            ("EIO=4&transport=websocket", .get, true, .handshake(.websocket)),
            ("EIO=4", .get, false, .refuse(.transportUnknown)),
            ("EIO=4&transport=abc", .get, false, .refuse(.transportUnknown)),
            ("EIO=4&transport=Polling", .get, false, .refuse(.transportUnknown)),
            ("EIO=4&transport=webtransport", .get, false, .refuse(.transportUnknown)),
            ("EIO=4&transport=__proto__", .get, true, .refuse(.transportUnknown)),
            ("EIO=4&transport=constructor", .get, false, .refuse(.transportUnknown)),
            ("EIO=4&transport=polling", .post, false, .refuse(.badHandshakeMethod)),
            ("EIO=4&transport=polling", .other, false, .refuse(.badHandshakeMethod)),
            ("EIO=4&transport=websocket", .get, false, .refuse(.badRequest)),
            ("EIO=4&transport=polling", .get, true, .refuse(.badRequest)),
            ("transport=polling", .get, false, .refuse(.unsupportedProtocolVersion)),
            ("EIO=abc&transport=polling", .get, false, .refuse(.unsupportedProtocolVersion)),
            ("EIO=3&transport=websocket", .get, true, .refuse(.unsupportedProtocolVersion)),
            ("EIO=5&transport=websocket", .get, true, .refuse(.unsupportedProtocolVersion)),
            ("EIO=4&transport=polling&sid=", .get, false, .handshake(.polling)),
        ])
    func handshakes(query: String, method: EngineRequest.Method, isUpgrade: Bool, verdict: EngineRequest.Verdict) throws
    {
        #expect(try self.verdict(query, method: method, isUpgrade: isUpgrade) == verdict)
    }

    @Test("SOCKETIO §2.3: requests of a session")
    func sessions() throws {
        let poll = "EIO=4&transport=polling&sid=abc"
        let socket = "EIO=4&transport=websocket&sid=abc"
        #expect(try self.verdict(poll, session: .polling) == .session)
        #expect(try self.verdict(poll, method: .post, session: .polling) == .session)
        #expect(try self.verdict(poll, method: .other, session: .polling) == .methodNotAllowed)
        #expect(try self.verdict(poll) == .refuse(.sessionUnknown))
        #expect(try self.verdict(socket, isUpgrade: true) == .refuse(.sessionUnknown))
        // §6: no refusal for a session that is on WebSocket; the session says what becomes of it.
        #expect(try self.verdict(socket, isUpgrade: true, session: .websocket) == .session)
        #expect(try self.verdict(socket, isUpgrade: true, session: .polling) == .session)
        #expect(try self.verdict(poll, isUpgrade: true, session: .polling) == .refuse(.badRequest))
        #expect(try self.verdict(poll, session: .websocket) == .refuse(.badRequest))
        #expect(try self.verdict(socket, session: .polling) == .refuse(.badRequest))
        #expect(try self.verdict(socket, session: .websocket) == .refuse(.badRequest))
        // The version counts at the handshake only; the transport always.
        #expect(try self.verdict("transport=polling&sid=abc", session: .polling) == .session)
        #expect(try self.verdict("EIO=4&sid=abc", session: .polling) == .refuse(.transportUnknown))
    }

    @Test("SOCKETIO §2.3: transport before origin, origin before session, hook before version")
    func order() throws {
        #expect(try self.verdict("EIO=4", isOriginLegal: false) == .refuse(.transportUnknown))
        #expect(try self.verdict("transport=polling&sid=x", isOriginLegal: false) == .refuse(.badRequest))
        #expect(try self.verdict("EIO=3&transport=polling", isAllowed: false) == .refuse(.forbidden))
        #expect(
            try self.verdict("EIO=4&transport=polling", method: .post, isAllowed: false) == .refuse(.badHandshakeMethod)
        )
        let polling = EngineOptions(allowsWebSocket: false)
        #expect(
            try self.verdict("EIO=4&transport=websocket", isUpgrade: true, options: polling)
                == .refuse(.transportUnknown))
    }

    @Test(
        "SOCKETIO §18: ids that cannot be ours are not looked up",
        arguments: [
            "a b", "a/b", "a=", "%00", "é", "__proto__!", String(repeating: "a", count: 65),
        ])
    func implausible(sid: String) throws {
        let query = "EIO=4&transport=polling&sid=" + sid.replacing(" ", with: "%20")
        #expect(try self.verdict(query, session: .polling) == .refuse(.sessionUnknown))
    }

    @Test("Random queries never crash", arguments: UInt64(1)...10)
    func random(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        let alphabet = Array("&=%+abEIO4transportsid0fF\u{7F}".utf8) + [0xFF, 0x00]
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            bytes.withUnsafeBytes { _ = try? EngineRequest(query: $0) }
        }
    }
}
