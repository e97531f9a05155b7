import NIOCore
import Synchronization
import Testing

@testable import Node

@Suite("AC-6, AC-11: actions with schemas")
struct NodeActionSchemaTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    struct Filter: Codable {
        enum Order: String, Codable, CaseIterable { case newest, oldest }
        let page: Int
        let order: Order?
        let isOpen: Bool?
    }
    struct Post: Codable, Equatable {
        let text: String
        let stars: Int?
    }

    private static let query: ActionSchema = [
        "type": "object", "required": ["n"], "additionalProperties": false,
        "properties": [
            "n": ["type": "integer", "minimum": 1], "x": ["type": "number"], "b": ["type": "boolean"],
            "s": ["type": "string"], "e": ["enum": [1, 2]],
        ],
    ]
    private static let body: ActionSchema = #"""
        {"type": "object", "required": ["text"], "properties": {
            "text": {"type": "string", "maxLength": 5}, "stars": {"type": "integer"}}}
        """#

    @Test(
        "AC-6: the query is held to its schema, its strings taken for what the schema says",
        arguments: [
            ("n=1", nil, nil), ("n=1&x=-2.5e1&b=true&s=5&e=2", nil, nil), ("", "/n", "is required"),
            ("n=0", "/n", "must be at least 1"), ("n=1.5", "/n", "must be an integer"),
            ("n=", "/n", "must be an integer"),
            ("n=%201", "/n", "must be an integer"), ("n=0x1", "/n", "must be an integer"),
            ("n=1&x=NaN", "/x", "must be a number"),
            ("n=1&b=1", "/b", "must be true or false"), ("n=1&e=3", "/e", "must be one of the values that are allowed"),
            ("n=1&z=1", "/z", "is not allowed"), ("n=1&_domestic=x", nil, nil), ("n=1.0", nil, nil),
        ] as [(String, String?, String?)])
    func query(query: String, path: String?, message: String?) async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/", options: ActionOptions(querySchema: Self.query)) { _, _, reply in
                reply.content(["ok": true])
            }
        ])
        let answer = await pipeline.run(Self.call(.get, "/?" + query))
        guard let path, let message else {
            #expect(answer.status == 200)
            return
        }
        #expect(answer.status == 400)
        #expect(
            answer.content == [
                "error": "SCHEMA", "at": "query", "path": .string(path), "message": .string(message),
            ])
    }

    @Test(
        "AC-6: the body is held to its schema, before the handler runs",
        arguments: [
            (#"{"text":"a","more":1}"#, "application/json", nil, nil),
            (#"{"text":"abcdef"}"#, "application/json", "/text", "must have at most 5 characters"),
            ("[]", "application/json", "", "must be an object"),
            ("text=a&stars=3", "application/x-www-form-urlencoded", nil, nil),
            ("text=a&stars=x", "application/x-www-form-urlencoded", "/stars", "must be an integer"),
            ("a", "text/plain", "", "must be an object"), (nil, nil, "", "is required"),
        ] as [(String?, String?, String?, String?)])
    func body(body: String?, type: String?, path: String?, message: String?) async throws {
        let runs = Mutex(0)
        let pipeline = try self.pipeline([
            Action(.post, "/", options: ActionOptions(bodySchema: Self.body)) { request, _, reply in
                runs.withLock { $0 += 1 }
                reply.content(try request.body(as: Post.self))
            }
        ])
        let answer = await pipeline.run(Self.call(.post, "/", body: body, type: type))
        #expect(answer.status == (path == nil ? 200 : 400))
        #expect(runs.withLock(\.self) == (path == nil ? 1 : 0))
        if let path, let message {
            #expect(
                answer.content == [
                    "error": "SCHEMA", "at": "body", "path": .string(path), "message": .string(message),
                ])
        }
    }

    @Test("AC-4, AC-6: who may not run an action does not learn about its schema from a failure")
    func order() async throws {
        let pipeline = try self.pipeline([
            Action(.post, "/", requires: .loggedIn, options: ActionOptions(bodySchema: Self.body)) { _, _, _ in }
        ])
        #expect(await pipeline.run(Self.call(.post, "/", body: "[]")).content["error"] == "LOGIN")
    }

    @Test("AC-6: checking has a bound of its own")
    func work() async throws {
        let pipeline = try self.pipeline([
            Action(.post, "/", options: ActionOptions(bodySchema: ["pattern": "(a+)+$"], maxSchemaWork: 1_000)) {
                _, _, _ in
            }
        ])
        let answer = await pipeline.run(
            Self.call(.post, "/", body: String(repeating: "a", count: 5_000) + "!", type: "text/plain"))
        #expect(answer.status == 400 && answer.content["message"] == "takes too long to check")
    }

    @Test(
        "AC-6: a schema that cannot be used stops the start, and says where",
        arguments: [
            (ActionOptions(bodySchema: ["type": "text"]), #"body, at "/type""#),
            (ActionOptions(querySchema: ["properties": ["a": ["foo": 1]]]), #"query, at "/properties/a/foo""#),
            (ActionOptions(querySchema: ["properties": ["a": ["type": "array"]]]), "flat strings"),
            (ActionOptions(bodySchema: "{"), "not JSON"), (ActionOptions(maxSchemaWork: 0), "positive"),
            (ActionOptions().typed(body: SchemaDerivationTests.Plain.self), "JSONSchemaProviding"),
            (ActionOptions().typed(query: [String: [Int]].self), nil),
            (ActionOptions().typed(query: SchemaDerivationTests.Holder<[Int]>.self), "flat strings"),
        ] as [(ActionOptions, String?)])
    func invalid(options: ActionOptions, words: String?) throws {
        let action = Action(.post, "/x", options: options) { _, _, _ in }
        guard let words else {
            #expect(throws: Never.self) { try ActionRouter([action]) }
            return
        }
        let error = #expect(throws: ActionRouter.InvalidAction.self) { try ActionRouter([action]) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("POST /x") == true)
    }

    @Test("AC-6: a station with such a schema does not start, and says what to mend")
    func start() async throws {
        var configuration = Configuration.development
        configuration.handlesSignals = false
        let station = try Station(configuration: configuration, logger: self.lines.logger)
        station.action(.put, "/x", body: SchemaDerivationTests.Payload.self) { _, _, _, _ in }
        let error = await #expect(throws: StartError.self) { try await station.run() }
        #expect(error?.why.contains("Payload cannot be derived") == true, "\(error?.why ?? "")")
    }

    @Test("AC-11: OPTIONS says what there is, with schemas, and nothing of what is hidden")
    func options() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/a", options: ActionOptions(querySchema: ["minProperties": 1])) { _, _, _ in },
            Action(.get, "/a", options: ActionOptions(querySchema: ["maxProperties": 9])) { _, _, _ in },
            Action(.put, .pattern("/[a-c]"), options: ActionOptions(querySchema: true, bodySchema: ["type": "string"]))
            { _, _, _ in },
            Action(.post, "/:x", options: ActionOptions(bodySchema: true, hidesSchema: true)) { _, _, _ in },
            Action(nil, "/a") { _, _, _ in },
            Action(.delete, "/a", options: ActionOptions(isHidden: true)) { _, _, _ in },
            Action(.get, "/h", options: ActionOptions(isHidden: true)) { _, _, _ in },
        ])
        let answer = await pipeline.run(Self.call(.options, "/a?x=1"))
        #expect(answer.status == 200)
        #expect(
            answer.content == [
                "GET": ["query": ["minProperties": 1]], "PUT": ["query": true, "body": ["type": "string"]],
                "POST": true, "*": true,
            ])
        #expect(answer.allow == ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"])
        #expect(await pipeline.run(Self.call(.options, "/a/b")).status == 404)
        let hidden = await pipeline.run(Self.call(.options, "/h"))
        #expect(hidden.status == 200 && hidden.content == ["POST": true], "only the action that is not hidden shows")
    }

    @Test("AC-6, AC-11: typed actions decode what the published schema lets pass")
    func typed() async throws {
        let station = try Station(configuration: .development)
        station.action(.put, "/posts/:id", requires: [], body: Post.self) { post, request, _, reply in
            reply.content(["id": request.params["id"], "text": post.text])
        }
        station.action(.post, "/posts", body: Post.self) { post, _, _, _ in
            Post(text: post.text + "!", stars: post.stars)
        }
        station.action(.get, "/posts", query: Filter.self) { filter, _, _, reply in
            reply.content(["page": filter.page])
            reply.content(["order": filter.order?.rawValue])
        }
        station.action(.delete, "/posts", query: Filter.self) { filter, _, _, _ in filter }
        station.action(.patch, "/posts", query: Filter.self, body: [Post].self) { filter, posts, _, _, reply in
            reply.content(["sum": filter.page + posts.count])
        }
        station.action(.patch, "/more", query: Filter.self, body: Post.self) { _, post, _, _, _ in post }
        let pipeline = try self.pipeline(station.registrations.withLock { $0.actions })
        func content(_ method: ActionMethod, _ target: String, _ body: String? = nil) async -> JSONValue {
            await pipeline.run(Self.call(method, target, body: body)).content
        }
        #expect(await content(.put, "/posts/7", #"{"text":"a"}"#) == ["id": "7", "text": "a"])
        #expect(await content(.post, "/posts", #"{"text":"a","stars":3}"#) == ["text": "a!", "stars": 3])
        #expect(await content(.post, "/posts", #"{"text":"a","stars":3.5}"#)["path"] == "/stars")
        #expect(await content(.get, "/posts?page=2&order=oldest") == ["page": 2, "order": "oldest"])
        #expect(await content(.get, "/posts?page=2&order=middle")["path"] == "/order")
        #expect(await content(.get, "/posts?page=x")["at"] == "query")
        #expect(await content(.delete, "/posts?page=2&isOpen=true") == ["page": 2, "isOpen": true])
        #expect(await content(.patch, "/posts?page=2", #"[{"text":"a"}]"#) == ["sum": 3])
        #expect(await content(.patch, "/more?page=2", #"{"text":"b"}"#) == ["text": "b"])
        let options = await pipeline.run(Self.call(.options, "/posts"))
        #expect(options.content["POST"]?["body"]?["required"] == ["text"])
        #expect(options.content["GET"]?["query"]?["properties"]?["page"]?["type"] == "integer")
    }
}
