import NIOCore
import Testing

@testable import Node

/// RM-4: what a domain's configuration may say, and how mistakes are named.
@Suite("RM-4: configurations of domains") struct DomainDocumentTests {
    private static func value(_ text: String) throws -> JSONValue { try JSONValue(text: ByteBuffer(string: text)) }

    private static func mistakes(_ text: String) throws -> [String: String] {
        do {
            _ = try DomainDocumentReader.read(try self.value(text))
            return [:]
        } catch let error as DomainMistakes {
            return Dictionary(error.all.map { ($0.path, $0.message) }) { first, _ in first }
        }
    }

    @Test("RM-4: all of it is read, and shown as it could have been stored")
    func whole() throws {
        let text = #"""
            {"target": "https://backend.app.example/hooks", "hooks": ["presence", "peerRequest"],
             "actions": [
                "POST /posts/:id", "* /board/*", "GET ~/p/[0-9]+",
                {"action": "PUT /posts/:id", "requires": ["loggedIn", "domestic"], "query": {"type": "object"},
                 "body": {"type": "object", "properties": {"text": {"type": "string", "pattern": "^a+$"}}},
                 "maxBodyLength": 1000, "maxFilesLength": 0, "timeLimit": 2.5, "hidden": true}]}
            """#
        let document = try DomainDocumentReader.read(try Self.value(text))
        #expect(document.target == "https://backend.app.example/hooks")
        #expect(document.hooks == [.presence, .peerRequest])
        #expect(document.actions.map(\.name) == ["POST /posts/:id", "* /board/*", "GET /p/[0-9]+", "PUT /posts/:id"])
        #expect(document.actions[2].isPattern)
        let last = try #require(document.actions.last)
        #expect(last.requirements == [.loggedIn, .domestic])
        #expect(last.options.maxBodyLength == 1_000 && last.options.bufferFiles == 0)
        #expect(last.options.timeLimit == .milliseconds(2_500) && last.options.isHidden)
        #expect(last.options.bodySchema != nil && last.options.querySchema != nil)
        #expect(try DomainDocumentReader.read(document.json) == document)
        #expect(try DomainDocumentReader.read([:]) == DomainDocument())
        #expect(DomainDocument().json == [:])
    }

    @Test("RM-4: it takes the place of what the node says of the same, and of nothing else")
    func precedence() throws {
        var own = WebhookOptions()
        own.target = "https://old.example/"
        own.secrets = .environment("SECRET")
        own.actions = [WebhookAction(nil, "/old")]
        own.hooks = [.presence]
        own.timeout = 3
        own.concurrency = 7
        let options = try DomainDocumentReader.read(["target": "https://new.example/", "actions": ["/new"]]).options(
            over: own)
        #expect(options.target == "https://new.example/" && options.actions == [WebhookAction(nil, "/new")])
        #expect(options.hooks.isEmpty && options.secrets == own.secrets)
        #expect(options.timeout == 3 && options.concurrency == 7)
        #expect(!DomainDocument().options(over: own).isUsed)
    }

    @Test("RM-4: every mistake is named with its place")
    func mistakes() throws {
        let found = try Self.mistakes(
            #"""
            {"target": "ftp://x", "colour": 1, "webhook-secret": "s", "hooks": ["presence", "all", "presence", 1],
             "actions": [
                "post /x", {"requires": []}, "GET no-slash", "GET ~/(a", 7,
                {"action": "GET /a", "requires": ["admin"], "body": {"properties": {"a/b": {"type": "colour"}}},
                 "maxBodyLength": -1, "timeLimit": 0, "hidden": "yes", "sceham": {}},
                {"action": "GET /q", "query": {"properties": {"deep": {"type": "object"}}}}]}
            """#)
        #expect(
            Set(found.keys) == [
                "/target", "/colour", "/webhook-secret", "/hooks/1", "/hooks/2", "/hooks/3", "/actions/0",
                "/actions/1/action", "/actions/2", "/actions/3", "/actions/4", "/actions/5/requires/0",
                "/actions/5/body/properties/a~1b/type", "/actions/5/maxBodyLength", "/actions/5/timeLimit",
                "/actions/5/hidden", "/actions/5/sceham", "/actions/6",
            ])
        #expect(found["/webhook-secret"]?.contains("stay with the nodes") == true)
        #expect(found["/actions/3"]?.contains("not closed") == true)
        #expect(found["/hooks/2"] == "is there already")
        #expect(try Self.mistakes("[]")[""] == "must be an object")
        #expect(try Self.mistakes(#"{"hooks": ["presence"]}"#).keys.sorted() == ["/target"])
        #expect(try Self.mistakes(#"{"target": "https://a.example/#x"}"#)["/target"] == "must have no fragment")
        #expect(try Self.mistakes(#"{"target": "https://u:p@a.example/"}"#)["/target"] != nil)
        #expect(try Self.mistakes(#"{"target": 1, "hooks": {}, "actions": {}}"#).count == 3)
    }

    @Test("RM-4: patterns are bounded, in number and in time, wherever they stand")
    func bounds() throws {
        let target = #""target": "https://a.example/""#
        func pattern(_ count: Int) -> String {
            let properties = (0..<count).map { #""p\#($0)": {"pattern": "a{1,300}"}"# }.joined(separator: ",")
            return #"{\#(target), "actions": [{"action": "GET ~/x{1,300}", "body": {"properties": {\#(properties)}}}]}"#
        }
        #expect(try Self.mistakes(pattern(DomainDocumentReader.mostPatterns - 1)).isEmpty)
        #expect(try Self.mistakes(pattern(DomainDocumentReader.mostPatterns)).keys.sorted() == ["/actions/0/body"])
        #expect(try Self.mistakes(#"{\#(target), "actions": ["GET ~/(a{1,1000}){1,1000}"]}"#)["/actions/0"] != nil)
        #expect(try Self.mistakes(#"{\#(target), "actions": ["GET ~/(?=a)"]}"#)["/actions/0"] != nil)
        func actions(_ count: Int) -> String {
            #"{\#(target), "actions": [\#((0..<count).map { "\"/a\($0)\"" }.joined(separator: ","))]}"#
        }
        #expect(try Self.mistakes(actions(DomainDocumentReader.mostActions)).isEmpty)
        #expect(try Self.mistakes(actions(DomainDocumentReader.mostActions + 1)).keys.sorted() == ["/actions"])
        let many = #"{"hooks": [\#(Array(repeating: "1", count: 1_000).joined(separator: ","))]}"#
        do {
            _ = try DomainDocumentReader.read(try Self.value(many))
            Issue.record("it was taken")
        } catch let error as DomainMistakes {
            #expect(error.all.count == DomainDocumentReader.mostMistakes)
        }
    }

    @Test("RM-3: bodies that are streamed may be long, and have no schema")
    func streams() throws {
        func document(_ more: String) -> String {
            #"{"target": "https://a.example/", "actions": [{"action": "PUT /up"\#(more)}]}"#
        }
        let text = document(#", "streams": true, "maxBodyLength": 1099511627776, "timeLimit": 3600"#)
        let action = try #require(try DomainDocumentReader.read(try Self.value(text)).actions.first)
        #expect(action.options.neverBuffer && action.options.maxBodyLength == 1 << 40)
        #expect(action.options.timeLimit == .seconds(3_600))
        #expect(
            try DomainDocumentReader.read(DomainDocumentReader.read(try Self.value(text)).json).actions == [action])
        #expect(try Self.mistakes(document(#", "streams": true, "body": {}"#)).keys.sorted() == ["/actions/0"])
        let long = #", "maxBodyLength": 1099511627776, "timeLimit": 3600"#
        #expect(
            try Self.mistakes(document(long)).keys.sorted()
                == ["/actions/0/maxBodyLength", "/actions/0/timeLimit"])
    }

    @Test("RM-4: the body of a change names the version that it replaces, in one way or both")
    func command() throws {
        let body: JSONValue = ["configuration": ["hooks": []]]
        func version(_ named: JSONValue?, _ match: String?) -> Int64? {
            var body = body
            if let named { body.merge(["version": named]) }
            return try? DomainCommand(body: body, ifMatch: match).version
        }
        #expect(version(3, nil) == 3 && version(nil, "\"3\"") == 3 && version(3, "\"3\"") == 3)
        #expect(version(3.0, nil) == 3 && version(0, "\"0\"") == 0)
        for match in ["*", "3", "\"\"", "\"a\"", "\"-1\"", "W/\"3\"", "\"3\", \"4\"", "\"4\"", ""] {
            #expect(version(3, match) == nil, "\(match)")
        }
        #expect(version(nil, nil) == nil)
        #expect(try DomainCommand(body: body, ifMatch: "\"1\"").configuration == ["hooks": []])
    }
}
