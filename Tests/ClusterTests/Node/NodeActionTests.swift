import Logging
import NIOCore
import Routing
import Synchronization
import Testing

@testable import Node

/// Log lines of a test.
private final class Lines: Sendable {
    private let lines = Mutex<[(message: String, metadata: Logger.Metadata)]>([])

    var all: [(message: String, metadata: Logger.Metadata)] { self.lines.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.lines.lines.withLock { $0.append((event.message.description, event.metadata ?? [:])) }
        }
    }
}

@Suite("AC: actions")
struct NodeActionTests {
    struct Login: Codable, Equatable {
        var user: String
        var device: String
    }

    private let pool = NodeTestPool()
    private let lines = Lines()

    private func pipeline(
        _ actions: [Action], options: SessionOptions = SessionOptions(),
        sleep: @escaping @Sendable (Duration) async throws -> Void = { _ in try await NodeTestIdentity.never() }
    ) throws -> ActionPipeline {
        ActionPipeline(
            router: try ActionRouter(actions), options: options, submit: { [pool] in pool.submit($0) }, sleep: sleep,
            logger: self.lines.logger)
    }

    private static func guest() -> Agent {
        Agent(domain: "example.org", user: nil, client: nil, isDomestic: false, address: "192.0.2.1")
    }

    private static func call(
        _ method: ActionMethod, _ target: String, body: String? = nil, type: String? = "application/json",
        encoding: String? = nil, accept: [String] = [], hasProof: Bool = false,
        agent: @escaping @Sendable () async throws -> Agent = { Self.guest() }
    ) -> ActionCall {
        ActionCall(
            transport: .http, method: method, target: target, domain: "example.org", address: "192.0.2.1",
            contentType: body == nil ? nil : type, contentEncoding: encoding, accept: accept,
            body: body.map { .bytes(ByteBuffer(string: $0)) } ?? .none, hasProof: hasProof, authenticate: agent)
    }

    @Test("AC-1, AC-7: the login of the README, from body to cookie")
    func login() async throws {
        let node = NodeTestIdentity()
        let pipeline = try self.pipeline([
            Action(.post, "/login") { request, agent, reply in
                let who = try request.body(as: Login.self)
                try await agent.setActive(user: who.user, client: who.device)
                reply.content(["hello": who.user])
            }
        ])
        let answer = await pipeline.run(
            Self.call(.post, "/login", body: #"{"user":"alice","device":"phone"}"#, agent: { try await node.agent() }))
        #expect(answer.status == 200)
        #expect(String(buffer: answer.json) == #"{"content":{"hello":"alice"},"events":[]}"#)
        let again = try await node.agent(cookies: answer.cookies.filter { $0.maxAge != 0 })
        #expect(again.isActive && again.user == "alice")
    }

    @Test("AC-2: the first registered action that fits method and path answers", arguments: [
        ("GET", "/", "root", [:]), ("GET", "/posts", "list", [:]), ("POST", "/posts", "any", [:]),
        ("GET", "/posts/7", "post", ["id": "7"]), ("GET", "/posts/new", "post", ["id": "new"]),
        ("GET", "/posts/a%2Fb%20c", "post", ["id": "a/b c"]), ("HEAD", "/posts/7", "post", ["id": "7"]),
        ("GET", "/files/a/b%20c", "file", ["path": "a/b c"]), ("GET", "/files/", "file", ["path": ""]),
        ("GET", "/n/12/x", "number", ["id": "12", "2": "x"]), ("GET", "/n/12", "number", ["id": "12"]),
        ("GET", "/caf%C3%A9", "literal", [:]),
    ] as [(String, String, String, [String: String])])
    func routing(method: String, target: String, name: String, params: [String: String]) async throws {
        let router = try ActionRouter(
            ([
                (.get, "/", "root"), (.get, "/posts", "list"), (nil, "/posts", "any"), (.get, "/posts/:id", "post"),
                (.get, "/posts/new", "shadowed"), (.get, "/files/*path", "file"),
                (.get, .pattern("/n/(?<id>[0-9]+)(?:/(.*))?"), "number"), (.get, "/café", "literal"),
            ] as [(ActionMethod?, ActionPath, String)]).map { method, path, name in
                Action(method, path, options: ActionOptions(maxBodyLength: name.utf8.count)) { _, _, _ in }
            })
        guard case .found(let action, let found) = router.match(ActionMethod(rawValue: method), target) else {
            Issue.record("no match")
            return
        }
        #expect(action.options.maxBodyLength == name.utf8.count)
        #expect(found == params)
    }

    @Test("AC-2, AC-12: no path 404, path but not method 405 with Allow, a bad escape 400", arguments: [
        ("GET", "/nowhere", 404, nil), ("GET", "/posts/", 404, nil), ("GET", "//posts", 404, nil), ("GET", "/n/x", 404, nil),
        ("PUT", "/posts", 405, "GET, HEAD, POST, OPTIONS"), ("get", "/posts", 405, "GET, HEAD, POST, OPTIONS"),
        ("GET", "/posts/%zz", 400, nil), ("GET", "/posts/%ff", 400, nil), ("GET", "/posts/%", 400, nil),
        ("GET", "/posts?a=%zz", 400, nil), ("GET", "*", 400, nil), ("GET", "", 400, nil), ("GET", "posts", 400, nil),
    ] as [(String, String, Int, String?)])
    func unrouted(method: String, target: String, status: Int, allow: String?) async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/posts") { _, _, _ in }, Action(.post, "/posts") { _, _, _ in },
            Action(.get, "/posts/:id") { _, _, _ in }, Action(.get, .pattern("/n/([0-9]+)")) { _, _, _ in },
        ])
        let answer = await pipeline.run(Self.call(ActionMethod(rawValue: method), target))
        #expect(answer.status == status)
        #expect(answer.allow?.joined(separator: ", ") == allow)
    }

    @Test("AC-2: an action that cannot work stops the start", arguments: [
        "posts", "/a/:/b", "/a/:x/:x", "/a/*/b", "/:x/*x", ActionPath.pattern("/a("),
    ] as [ActionPath])
    func invalid(path: ActionPath) {
        #expect(throws: ActionRouter.InvalidAction.self) { try ActionRouter([Action(.get, path) { _, _, _ in }]) }
    }

    @Test("AC-3: query and parameters are flat strings, decoded, the last one wins")
    func request() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/q/:id") { request, _, reply in
                reply.content(["query": request.query, "params": request.params])
                reply.content(["path": request.path, "domain": request.domain, "address": request.address])
                reply.content(["transport": request.transport.rawValue, "method": request.method.rawValue])
            }
        ])
        let answer = await pipeline.run(Self.call(.get, "/q/a%20b?x=1&x=2+3%26&y&_domestic=secret&=z#frag"))
        #expect(answer.content == [
            "query": ["x": "2 3&", "y": "", "": "z"], "params": ["id": "a b"], "path": "/q/a%20b", "domain": "example.org",
            "address": "192.0.2.1", "transport": "http", "method": "GET",
        ])
    }

    @Test("AC-4: requirements, in order, before the body is read", arguments: [
        (Agent.Standing.guest, false, ActionRequirements.identified, "GUEST"), (.guest, true, .loggedIn, "LOGIN"),
        (.idle, false, .identified, nil), (.idle, true, [.identified, .loggedIn], "LOGIN"), (.active, false, .loggedIn, nil),
        (.active, false, [.loggedIn, .domestic], "DOMESTIC"), (.active, true, [.identified, .loggedIn, .domestic], nil),
        (.guest, false, [], nil),
    ] as [(Agent.Standing, Bool, ActionRequirements, String?)])
    func requirements(standing: Agent.Standing, isDomestic: Bool, requires: ActionRequirements, error: String?) async throws {
        let pipeline = try self.pipeline([Action(.get, "/", requires: requires) { _, _, _ in }])
        let answer = await pipeline.run(Self.call(.get, "/", agent: {
            Agent(
                domain: "example.org", address: "", userAgent: nil, authority: nil, originIsOwn: true,
                state: Agent.State(
                    standing: standing, user: standing == .guest ? nil : "alice", client: nil, record: nil,
                    isDomestic: isDomestic, cookies: []))
        }))
        #expect(answer.status == (error == nil ? 200 : 403))
        #expect(answer.content["error"]?.string == error)
    }

    @Test("ID-4: a proof in the form or query counts where no header has one; handlers never see it", arguments: [
        ("form", true), ("query", true), ("wrong form, right query", false), ("right form, wrong query", true),
        ("query, with a header's", false), ("foreign origin", false), ("query, disabled", false),
    ])
    func proof(kind: String, isDomestic: Bool) async throws {
        var options = SessionOptions()
        options.acceptsDomesticQuery = kind != "query, disabled"
        let node = NodeTestIdentity(options)
        let cookies = try await node.login()
        let token = try #require(cookies.first { $0.name == "__Host-domestic" }).value
        let (form, query): (String?, String?) =
            switch kind {
            case "form", "foreign origin": (token, nil)
            case "wrong form, right query": ("x", token)
            case "right form, wrong query": (token, "x")
            default: (nil, token)
            }
        let seen = Mutex<[String]>([])
        let pipeline = try self.pipeline(
            [
                Action(.post, "/", requires: .domestic) { request, agent, _ in
                    var fields = request.query
                    if case .form(let form) = request.body { fields.merge(form) { $1 } }
                    seen.withLock { $0 = fields.keys.sorted() }
                    #expect(agent.isDomestic)
                }
            ], options: options)
        let answer = await pipeline.run(
            Self.call(
                .post, "/?q=1" + (query.map { "&_domestic=" + $0 } ?? ""), body: form.map { "a=b&_domestic=" + $0 },
                type: "application/x-www-form-urlencoded", hasProof: kind == "query, with a header's",
                agent: { try await node.agent(cookies: cookies, origin: kind == "foreign origin" ? .foreign : .own) }))
        #expect(answer.status == (isDomestic ? 200 : 403))
        #expect(seen.withLock { !$0.contains("_domestic") })
    }

    @Test("AC-5, AC-12: bodies and their types", arguments: [
        ("application/json", #"{"a":1}"#, 200, #"json {"a":1}"#), ("Application/JSON; charset=utf-8", "[1.5]", 200, "json [1.5]"),
        ("application/problem+json", "null", 200, "json null"), ("text/plain;charset=x", "hi", 200, "text hi"),
        ("application/x-www-form-urlencoded", "a=1&a=%C3%A9+x", 200, "form a=é x"),
        ("application/x-www-form-urlencoded", "a=%zz", 400, nil), ("application/json", "{", 400, nil),
        ("application/json", "", 400, nil), ("text/plain", "\u{FFFD}", 200, "text \u{FFFD}"),
        ("multipart/form-data; boundary=x", "--x--", 415, nil), ("application/octet-stream", "x", 415, nil),
        (nil, "x", 415, nil), (nil, "", 200, "none"),
    ] as [(String?, String, Int, String?)])
    func bodies(type: String?, body: String, status: Int, seen: String?) async throws {
        let pipeline = try self.pipeline([
            Action(.post, "/") { request, _, reply in
                switch request.body {
                case .none: reply.content(["body": "none"])
                case .json(let value):
                    var buffer = ByteBuffer()
                    value.write(to: &buffer)
                    reply.content(["body": "json " + String(buffer: buffer)])
                case .form(let fields): reply.content(["body": "form a=" + (fields["a"] ?? "")])
                case .text(let text): reply.content(["body": "text " + text])
                }
            }
        ])
        let answer = await pipeline.run(Self.call(.post, "/", body: body, type: type))
        #expect(answer.status == status)
        #expect(answer.content["body"]?.string == seen)
        #expect(await pipeline.run(Self.call(.post, "/", body: "{}", encoding: "gzip")).status == 415)
    }

    @Test("WS-3: JSON that is not taken", arguments: [
        #"{"a":1,"a":2}"#, #"{"__proto__":1}"#, #"{"\u005f_proto__":1}"#, #"{"constructor":{"prototype":{}}}"#, #""\ud800""#,
        "NaN", "1e999", #"{"a":1}x"#, String(repeating: "[", count: 65) + String(repeating: "]", count: 65), "[1,]", "'a'",
    ])
    func strictJSON(text: String) async throws {
        #expect(throws: JSONTextError.self) { try JSONValue(text: ByteBuffer(string: text)) }
        let pipeline = try self.pipeline([Action(.post, "/") { _, _, _ in }])
        let answer = await pipeline.run(Self.call(.post, "/", body: text))
        #expect(answer.status == 400 && answer.content["error"] == "MALFORMED")
    }

    @Test("WS-3: JSON that is taken keeps its values")
    func values() throws {
        let text = #"{"a":[1,-2.5,1e3,true,false,null,"é\n\ud83d\ude00",9007199254740993],"constructor":{"x":{}}}"#
        let value = try JSONValue(text: ByteBuffer(string: " " + text + "\n"))
        #expect(value["a"] == [1, -2.5, 1000.0, true, false, nil, "é\n😀", 9_007_199_254_740_993])
        var buffer = ByteBuffer()
        value.write(to: &buffer)
        #expect(try JSONValue(text: buffer)["a"]?[6] == "é\n😀")
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: Never.self) { try JSONValue(text: ByteBuffer(string: deep)) }
    }

    @Test("AC-5: maxBodyLength is 40,960 unless an action says otherwise; rejectsBody refuses any")
    func limits() async throws {
        let pipeline = try self.pipeline([
            Action(.post, "/a") { _, _, _ in },
            Action(.post, "/b", options: ActionOptions(maxBodyLength: 2)) { _, _, _ in },
            Action(.post, "/c", options: ActionOptions(rejectsBody: true)) { _, _, _ in },
        ])
        func status(_ path: String, _ length: Int) async -> Int {
            await pipeline.run(Self.call(.post, path, body: String(repeating: "x", count: length), type: "text/plain")).status
        }
        #expect(await status("/a", 40_960) == 200)
        #expect(await status("/a", 40_961) == 413)
        #expect(await status("/b", 2) == 200)
        #expect(await status("/b", 3) == 413)
        #expect(await status("/c", 0) == 413)
        #expect(await pipeline.run(Self.call(.post, "/c")).status == 200)
    }

    @Test("AC-6: a body of the wrong form is 400 with its place", arguments: [
        (#"{"user":"a"}"#, "/device", "is required"), (#"{"user":1,"device":"x"}"#, "/user", "has the wrong type"),
        (#"{"user":null,"device":"x"}"#, "/user", "must not be null"), ("[]", "", "has the wrong type"),
    ])
    func wrongForm(body: String, path: String, message: String) async throws {
        let pipeline = try self.pipeline([Action(.post, "/") { request, _, _ in _ = try request.body(as: Login.self) }])
        let answer = await pipeline.run(Self.call(.post, "/", body: body))
        #expect(answer.status == 400)
        #expect(answer.content["error"] == "SCHEMA" && answer.content["at"] == "body")
        #expect(answer.content["path"]?.string == path)
        #expect(answer.content["message"]?.string.map { [message, "is required"].contains($0) } == true)
        #expect(await pipeline.run(Self.call(.post, "/")).content["error"] == "SCHEMA")
    }

    @Test("AC-7: content merges at every depth; events, redirect, clear and explicit status")
    func replies() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/merge") { _, _, reply in
                reply.content(["a": ["x": 1, "y": [1]], "b": 1] as JSONValue)
                reply.content(["a": ["y": [2], "z": nil], "c": .string(Login(user: "u", device: "d").user)] as JSONValue)
                reply.event("ping", 1, "two", [3])
                reply.events([["pong"], ["pang", true]])
                reply.done(201)
            },
            Action(.get, "/redirect") { _, _, reply in
                reply.event("a")
                try reply.redirect("/old")
                try reply.redirect("/x?y=é")
            },
            Action(.get, "/explicit") { _, _, reply in
                try reply.redirect("/x")
                reply.done(303)
            },
            Action(.get, "/control") { _, _, reply in try reply.redirect("/x\r\nSet-Cookie: a=b") },
            Action(.get, "/clear") { _, _, reply in
                reply.content(["a": 1])
                reply.event("e")
                try reply.redirect("/x")
                reply.clear()
                reply.content(["b": 2])
            },
            Action(.get, "/nan") { _, _, reply in reply.content(["a": Double.nan]) },
            Action(.get, "/status") { _, _, reply in reply.done(99) },
        ])
        let merged = await pipeline.run(Self.call(.get, "/merge"))
        #expect(merged.status == 201)
        #expect(merged.content == ["a": ["x": 1, "y": [2], "z": nil], "b": 1, "c": "u"])
        #expect(merged.events == [["ping", 1, "two", [3]], ["pong"], ["pang", true]])
        let redirect = await pipeline.run(Self.call(.get, "/redirect"))
        #expect(redirect.status == 302 && redirect.location == "/x?y=é")
        #expect(redirect.events == [["redirect", "/x?y=é"], ["a"]])
        #expect(await pipeline.run(Self.call(.get, "/explicit")).status == 303)
        #expect(await pipeline.run(Self.call(.get, "/control")).status == 400)
        let cleared = await pipeline.run(Self.call(.get, "/clear"))
        #expect(cleared.status == 200 && cleared.content == ["b": 2] && cleared.events.isEmpty && cleared.location == nil)
        #expect(await pipeline.run(Self.call(.get, "/nan")).status == 500)
        #expect(await pipeline.run(Self.call(.get, "/status")).status == 500)
    }

    @Test("AC-7: one completion: what comes later is ignored and logged, and the answer does not wait for the handler")
    func once() async throws {
        let gate = AsyncStream<Void>.makeStream()
        let pipeline = try self.pipeline([
            Action(.get, "/") { _, _, reply in
                reply.content(["a": 1])
                reply.done()
                for await _ in gate.stream {}
                reply.content(["b": 2])
                reply.done(500)
                throw ActionError(500, "LATE")
            }
        ])
        let answer = await pipeline.run(Self.call(.get, "/"))
        #expect(answer.status == 200 && answer.content == ["a": 1])
        gate.continuation.finish()
        await self.pool.settle()
        let warnings = self.lines.all.filter { $0.message.hasPrefix("reply:") }.compactMap { $0.metadata["call"] }
        #expect(warnings == ["content", "done"])
        #expect(self.lines.all.contains { $0.message == "action: thrown after its answer" })
    }

    @Test("AC-8: HTML only where it is preferred and there is some", arguments: [
        ([], true, false), (["text/html"], true, true), (["text/html"], false, false), (["*/*"], true, false),
        (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], true, true),
        (["application/json, text/html;q=0.9"], true, false), (["text/html;q=0.5", "application/json;q=0.4"], true, true),
        (["text/*;q=0.5"], true, true), (["text/html;q=0, */*"], true, false), (["text/html;q=2"], true, false),
    ] as [([String], Bool, Bool)])
    func negotiation(accept: [String], hasPage: Bool, isHTML: Bool) async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/") { _, _, reply in if hasPage { reply.html("<p>") } }
        ])
        #expect(await pipeline.run(Self.call(.get, "/", accept: accept)).html == (isHTML ? "<p>" : nil))
    }

    @Test("AC-11: OPTIONS names what is at a path, hidden actions aside")
    func options() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/a") { _, _, _ in }, Action(.put, "/a") { _, _, _ in }, Action(nil, "/any") { _, _, _ in },
            Action(.delete, "/a", options: ActionOptions(isHidden: true)) { _, _, _ in },
            Action(.get, "/hidden", options: ActionOptions(isHidden: true)) { _, _, _ in },
        ])
        let answer = await pipeline.run(Self.call(.options, "/a?x=1"))
        #expect(answer.status == 200 && answer.allow == ["GET", "HEAD", "PUT", "OPTIONS"])
        #expect(answer.content == ["GET": true, "PUT": true])
        #expect(await pipeline.run(Self.call(.options, "/any")).content == ["*": true])
        #expect(await pipeline.run(Self.call(.options, "/hidden")).status == 404)
        #expect(await pipeline.run(Self.call(.options, "/none")).status == 404)
    }

    private struct Secret: Error, CustomStringConvertible {
        let description = "the password is 12345"
    }

    @Test("AC-12: what a handler throws is a 500 with an opaque id; details are in the log only")
    func thrown() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/throws") { _, _, _ in throw Secret() },
            Action(.get, "/refuses") { _, _, _ in throw ActionError(409, "TAKEN", ["by": "bob"]) },
        ])
        let answer = await pipeline.run(Self.call(.get, "/throws"))
        #expect(answer.status == 500 && answer.content["error"] == "INTERNAL")
        let id = try #require(answer.content["id"]?.string)
        #expect(!String(buffer: answer.json).contains("12345"))
        let line = try #require(self.lines.all.first { $0.message == "action failed" })
        #expect(line.metadata["id"] == "\(id)" && "\(line.metadata["error"] ?? "")".contains("12345"))
        let refusal = await pipeline.run(Self.call(.get, "/refuses"))
        #expect(refusal.status == 409 && refusal.content == ["error": "TAKEN", "by": "bob"])
    }

    @Test("AC-12: 503 without the store or with a full pool; 504 after the time limit, even if the handler does not care")
    func late() async throws {
        let gate = AsyncStream<Void>.makeStream()
        let action = Action(.get, "/") { _, _, _ in
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                gate.continuation.onTermination = { _ in done.resume() }
            }
        }
        let limits = Mutex<[Duration]>([])
        let pipeline = try self.pipeline([action]) { limit in limits.withLock { $0.append(limit) } }
        let answer = await pipeline.run(Self.call(.get, "/"))
        #expect(answer.status == 504 && answer.content == ["error": "TIMEOUT"])
        #expect(limits.withLock { $0 } == [.seconds(30)])
        gate.continuation.finish()
        await self.pool.settle()

        let away = await pipeline.run(
            Self.call(.get, "/", agent: { throw StoreError(.unavailable, operation: "sessions.find", message: "away") }))
        #expect(away.status == 503)
        let full = ActionPipeline(router: try ActionRouter([action]), submit: { _ in false }, logger: self.lines.logger)
        #expect(await full.run(Self.call(.get, "/")).status == 503)
    }

    @Test("AC-13: one line for each action, without the query, with latencies that cannot be overwritten")
    func logged() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/posts/:id") { _, _, reply in
                reply.latency("query", .milliseconds(3))
                reply.latency("query", .milliseconds(9))
                reply.latency("total", .seconds(9))
            }
        ])
        _ = await pipeline.run(Self.call(.get, "/posts/7?token=secret"))
        _ = await pipeline.run(Self.call(.get, "/nowhere\n"))
        let lines = self.lines.all.filter { $0.message == "action" }
        #expect(lines.count == 2)
        let first = try #require(lines.first?.metadata)
        #expect(first["path"] == "/posts/7" && first["action"] == "GET /posts/:id" && first["status"] == "200")
        #expect(first["domain"] == "example.org" && first["transport"] == "http" && first["method"] == "GET")
        #expect(first["format"] == "json" && first["ms.query"] == "3.000" && first["ms.total"] != "9000.000")
        #expect(first["ms.authenticate"] != nil && first["ms.run"] != nil)
        #expect(lines.last?.metadata["path"] == "/nowhere?" && lines.last?.metadata["action"] == "none")
    }
}
