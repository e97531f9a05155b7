import NIOCore
import Routing
import Synchronization
import Testing

@testable import Node

@Suite("AC: requests of actions")
struct NodeActionTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    @Test("AC-1, AC-7: the login of the README, from body to cookie")
    func login() async throws {
        let node = NodeTestIdentity()
        let pipeline = try self.pipeline([
            Action(.post, "/login") { request, agent, reply in
                let who = try request.body(as: NodeTestLogin.self)
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

    @Test(
        "AC-2: the first registered action that fits method and path answers",
        arguments: [
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

    @Test(
        "AC-2, AC-12: no path 404, path but not method 405 with Allow, a bad escape 400",
        arguments: [
            ("GET", "/nowhere", 404, nil), ("GET", "/posts/", 404, nil), ("GET", "//posts", 404, nil),
            ("GET", "/n/x", 404, nil),
            ("PUT", "/posts", 405, "GET, HEAD, POST, OPTIONS"), ("get", "/posts", 405, "GET, HEAD, POST, OPTIONS"),
            ("GET", "/posts/%zz", 400, nil), ("GET", "/posts/%ff", 400, nil), ("GET", "/posts/%", 400, nil),
            ("GET", "/posts?a=%zz", 400, nil), ("GET", "*", 400, nil), ("GET", "", 400, nil),
            ("GET", "posts", 400, nil),
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

    @Test(
        "AC-2: an action that cannot work stops the start",
        arguments: [
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
        #expect(
            answer.content == [
                "query": ["x": "2 3&", "y": "", "": "z"], "params": ["id": "a b"], "path": "/q/a%20b",
                "domain": "example.org",
                "address": "192.0.2.1", "transport": "http", "method": "GET",
            ])
    }

    @Test(
        "AC-4: requirements, in order, before the body is read",
        arguments: [
            (Agent.Standing.guest, false, ActionRequirements.identified, "GUEST"), (.guest, true, .loggedIn, "LOGIN"),
            (.idle, false, .identified, nil), (.idle, true, [.identified, .loggedIn], "LOGIN"),
            (.active, false, .loggedIn, nil),
            (.active, false, [.loggedIn, .domestic], "DOMESTIC"),
            (.active, true, [.identified, .loggedIn, .domestic], nil),
            (.guest, false, [], nil),
        ] as [(Agent.Standing, Bool, ActionRequirements, String?)])
    func requirements(
        standing: Agent.Standing, isDomestic: Bool, requires: ActionRequirements, error: String?
    ) async throws {
        let pipeline = try self.pipeline([Action(.get, "/", requires: requires) { _, _, _ in }])
        let answer = await pipeline.run(
            Self.call(
                .get, "/",
                agent: {
                    Agent(
                        domain: "example.org", address: "", userAgent: nil, authority: nil, originIsOwn: true,
                        state: Agent.State(
                            standing: standing, user: standing == .guest ? nil : "alice", client: nil, record: nil,
                            isDomestic: isDomestic, cookies: []))
                }))
        #expect(answer.status == (error == nil ? 200 : 403))
        #expect(answer.content["error"]?.string == error)
    }

    @Test(
        "ID-4: a proof in the form or query counts where no header has one; handlers never see it",
        arguments: [
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

    @Test(
        "AC-5, AC-12: bodies and their types",
        arguments: [
            ("application/json", #"{"a":1}"#, 200, #"json {"a":1}"#),
            ("Application/JSON; charset=utf-8", "[1.5]", 200, "json [1.5]"),
            ("application/problem+json", "null", 200, "json null"), ("text/plain;charset=x", "hi", 200, "text hi"),
            ("application/x-www-form-urlencoded", "a=1&a=%C3%A9+x", 200, "form a=é x"),
            ("application/x-www-form-urlencoded", "a=%zz", 400, nil), ("application/json", "{", 400, nil),
            ("application/json", "", 400, nil), ("text/plain", "\u{FFFD}", 200, "text \u{FFFD}"),
            ("multipart/form-data; boundary=x", "--x--", 200, "form a="), ("application/octet-stream", "x", 415, nil),
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

    @Test("AC-5: maxBodyLength is 40,960 unless an action says otherwise; rejectsBody refuses any")
    func limits() async throws {
        let pipeline = try self.pipeline([
            Action(.post, "/a") { _, _, _ in },
            Action(.post, "/b", options: ActionOptions(maxBodyLength: 2)) { _, _, _ in },
            Action(.post, "/c", options: ActionOptions(rejectsBody: true)) { _, _, _ in },
        ])
        func status(_ path: String, _ length: Int) async -> Int {
            await pipeline.run(Self.call(.post, path, body: String(repeating: "x", count: length), type: "text/plain"))
                .status
        }
        #expect(await status("/a", 40_960) == 200)
        #expect(await status("/a", 40_961) == 413)
        #expect(await status("/b", 2) == 200)
        #expect(await status("/b", 3) == 413)
        #expect(await status("/c", 0) == 413)
        #expect(await pipeline.run(Self.call(.post, "/c")).status == 200)
    }

    @Test(
        "AC-6: a body of the wrong form is 400 with its place",
        arguments: [
            (#"{"user":"a"}"#, "/device", "is required"), (#"{"user":1,"device":"x"}"#, "/user", "has the wrong type"),
            (#"{"user":null,"device":"x"}"#, "/user", "must not be null"), ("[]", "", "has the wrong type"),
        ])
    func wrongForm(body: String, path: String, message: String) async throws {
        let pipeline = try self.pipeline([
            Action(.post, "/") { request, _, _ in _ = try request.body(as: NodeTestLogin.self) }
        ])
        let answer = await pipeline.run(Self.call(.post, "/", body: body))
        #expect(answer.status == 400)
        #expect(answer.content["error"] == "SCHEMA" && answer.content["at"] == "body")
        #expect(answer.content["path"]?.string == path)
        #expect(answer.content["message"]?.string.map { [message, "is required"].contains($0) } == true)
        #expect(await pipeline.run(Self.call(.post, "/")).content["error"] == "SCHEMA")
    }
}
