import HTTPTypes
import NIOCore
import Testing

@testable import Node

@Suite struct NodeTransportOptionsTests {
    private func answer(
        _ options: CrossOriginOptions, origins: [String]
    ) -> (allow: String?, credentials: String?, vary: String?) {
        var answer = EngineAnswer(status: 200, contentType: nil, body: .init())
        CrossOrigin(options).apply(to: &answer, origins: origins)
        return (
            answer.extra[.accessControlAllowOrigin], answer.extra[.accessControlAllowCredentials], answer.extra[.vary]
        )
    }

    @Test("TR-5, SOCKETIO §2.5: off, any, a list and reflection, with and without credentials")
    func crossOrigin() {
        #expect(self.answer(.init(), origins: ["https://a.example"]) == (nil, nil, nil))
        #expect(self.answer(.init(origins: .any), origins: []) == ("*", nil, nil))
        let list = CrossOriginOptions(
            origins: .list(["https://a.example", "https://*.b.example:8443"]), credentials: true)
        #expect(self.answer(list, origins: ["https://a.example"]) == ("https://a.example", "true", "Origin"))
        #expect(self.answer(list, origins: ["https://a.example:443"]) == ("https://a.example:443", "true", "Origin"))
        #expect(
            self.answer(list, origins: ["https://x.y.b.example:8443"])
                == ("https://x.y.b.example:8443", "true", "Origin"))
        for origin in [
            "http://a.example", "https://a.example:444", "https://a.example.evil.example", "https://evila.example",
            "https://b.example:8443", "https://x.b.example", "https://evilb.example:8443", "null", "", "a.example",
            "https://a.example/", "https://a.example@evil.example", "https://[::1]",
        ] {
            #expect(self.answer(list, origins: [origin]) == (nil, nil, "Origin"), "\(origin)")
        }
        #expect(self.answer(list, origins: ["https://a.example", "https://a.example"]) == (nil, nil, "Origin"))
        #expect(self.answer(list, origins: []) == (nil, nil, "Origin"))
        let reflect = CrossOriginOptions(origins: .reflect, credentials: true)
        #expect(self.answer(reflect, origins: ["https://z.example"]) == ("https://z.example", "true", "Origin"))
    }

    @Test("SOCKETIO §2.5: a list governs WebSocket, too (CVE-2019-13611)")
    func webSocketOrigins() {
        let list = CrossOrigin(.init(origins: .list(["https://a.example"])))
        #expect(list.allowsWebSocket(.foreign, origins: ["https://a.example"]))
        #expect(!list.allowsWebSocket(.foreign, origins: ["https://b.example"]))
        #expect(list.allowsWebSocket(.own, origins: ["https://own.example"]))
        #expect(list.allowsWebSocket(.absent, origins: []))
        let strict = CrossOrigin(.init(origins: .list(["https://a.example"]), requiresOrigin: true))
        #expect(!strict.allowsWebSocket(.absent, origins: []))
        #expect(CrossOrigin(.init(origins: .any)).allowsWebSocket(.foreign, origins: ["https://b.example"]))
        #expect(!CrossOrigin(.init(origins: .any)).names(["https://b.example"]))
    }

    @Test("SOCKETIO §2.6: the cookie's attributes; Secure under TLS only")
    func cookie() {
        #expect(AffinityCookie().field(label: "n1", isSecure: false) == "io=n1; Path=/; HttpOnly; SameSite=Lax")
        #expect(
            AffinityCookie(name: "node", path: "/socket.io", sameSite: .none, httpOnly: false)
                .field(label: "n1", isSecure: true) == "node=n1; Path=/socket.io; SameSite=None; Secure")
    }

    @Test("What cannot work is refused at start")
    func complaints() {
        func complains(_ change: (inout TransportOptions) -> Void) -> Bool {
            var options = TransportOptions()
            change(&options)
            return options.complaint != nil
        }
        #expect(!complains { _ in })
        #expect(complains { $0.crossOrigin = .init(origins: .any, credentials: true) })
        #expect(complains { $0.crossOrigin = .init(credentials: true) })
        for origin in ["*", "a.example", "https://", "https://a.example/path", "null", "ftp://a.example", "https://*"] {
            #expect(complains { $0.crossOrigin = .init(origins: .list([origin])) }, "\(origin)")
        }
        #expect(
            !complains { $0.crossOrigin = .init(origins: .list(["http://localhost:3000", "https://*.x.example"])) })
        for path in ["", "socket.io", "/a b", "/a?b", "/%41"] { #expect(complains { $0.path = path }, "\(path)") }
        #expect(complains { $0.transports = [] })
        #expect(complains { $0.cookie = AffinityCookie(name: "a b") })
        #expect(complains { $0.cookie = AffinityCookie(path: "/;x") })
        #expect(complains { $0.messageCompression = .init(windowBits: 8) })
        #expect(complains { $0.pollingCompression = .init(level: 0) })
        #expect(complains { $0.upgradeTimeout = 0 })
        #expect(complains { $0.subprotocols = ["a b"] })
    }

    @Test("LC-6: a session key and its text are the same, and nothing else is a key")
    func sessionKeys() {
        var generator = LoopRandom()
        for _ in 0..<100 {
            let key = SessionKey.random(using: &generator)
            #expect(SessionKey(key.text) == key)
        }
        for text in ["", "short", String(repeating: "A", count: 23), String(repeating: "!", count: 22)] {
            #expect(SessionKey(text) == nil)
        }
    }
}
