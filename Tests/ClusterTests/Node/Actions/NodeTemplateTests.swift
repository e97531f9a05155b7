import Foundation
import NIOCore
import Testing

@testable import Node

@Suite("AC-9: pages from templates")
struct NodeTemplateTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    private static let html = ["text/html"]

    private func pipeline(_ templates: Templates?, _ actions: [Action]) throws -> ActionPipeline {
        ActionPipeline(
            router: try ActionRouter(actions), templates: templates, submit: { [pool] in pool.submit($0) },
            sleep: { _ in try await NodeTestIdentity.never() }, logger: self.lines.logger)
    }

    private static func action(_ path: ActionPath, _ templates: Templates?, status: Int? = nil) -> Action {
        Action(.get, path, options: ActionOptions(templates: templates)) { _, _, reply in
            reply.content(["a": "<&>", "n": nil])
            reply.done(status)
        }
    }

    @Test(
        "AC-9: by status: the action's own, its default, the global one, the global default, else a plain page",
        arguments: [
            (true, true, 201, "own 201"), (true, true, 202, "own default"), (false, true, 202, "global 202"),
            (false, true, 203, "global default"), (false, false, 201, "own 201"), (true, false, 203, "own default"),
        ])
    func choice(hasOwnDefault: Bool, hasGlobal: Bool, status: Int, page: String) async throws {
        let own = Templates(default: hasOwnDefault ? "own default" : nil, statuses: [201: "own 201"])
        let global = Templates(default: "global default", statuses: [201: "global 201", 202: "global 202"])
        let pipeline = try self.pipeline(hasGlobal ? global : nil, [Self.action("/", own, status: status)])
        let answer = await pipeline.run(Self.call(.get, "/", accept: Self.html))
        #expect(answer.status == status && answer.html == page)
        #expect(await pipeline.run(Self.call(.get, "/")).html == nil)
    }

    @Test("AC-8, AC-9: JSON where nobody has templates; a plain page with the JSON escaped where none fits")
    func fallbacks() async throws {
        let without = try self.pipeline(nil, [Self.action("/", nil)])
        #expect(await without.run(Self.call(.get, "/", accept: Self.html)).html == nil)
        let with = try self.pipeline(Templates(statuses: [404: "nothing"]), [Self.action("/", nil)])
        let plain = try #require(await with.run(Self.call(.get, "/", accept: Self.html)).html)
        #expect(
            plain.contains("<pre>{\"a\":\"&lt;&amp;&gt;\",\"n\":null}</pre>") && plain.contains("<title>200</title>"))
        // Errors have pages, too, whether there is an action or not.
        #expect(await with.run(Self.call(.get, "/none", accept: Self.html)).html == "nothing")
        #expect(await with.run(Self.call(.put, "/", accept: Self.html)).html?.contains("METHOD") == true)
        // A socket's answer is JSON, whatever it says.
        var call = Self.call(.get, "/none", accept: Self.html)
        call = ActionCall(
            transport: .socket, method: call.method, target: call.target, domain: call.domain, address: "",
            accept: call.accept, authenticate: call.authenticate)
        #expect(await with.run(call).html == nil)
    }

    @Test("AC-9: the context is the defaults, the action's over them, the content over both, and the agent")
    func context() async throws {
        let global = Templates(defaults: ["x": ["g": "g", "o": "g", "c": "g"], "hidden": "g", "agent": "g"])
        let own = Templates(
            default: "{{x.g}} {{x.o}} {{x.c}}|{{^hidden}}null{{/hidden}}|{{agent.standing}} {{agent.user}}"
                + "{{#agent.isGuest}}guest{{/agent.isGuest}}|{{#list}}{{.}},{{/list}}|{{page.status}}|{{>part}}|{{html}}",
            partials: ["part": "{{int}} {{double}} {{bool}}"], defaults: ["x": ["o": "o", "c": "o"]])
        let pipeline = try self.pipeline(
            global,
            [
                Action(.get, "/", options: ActionOptions(templates: own)) { _, _, reply in
                    reply.content(["x": ["c": "c"], "hidden": nil, "agent": "me", "list": [1, 2]] as JSONValue)
                    reply.content(["int": 7, "double": 1.5, "bool": true, "html": "<a href='x'>&\"</a>"] as JSONValue)
                },
                Action(.get, "/text", options: ActionOptions(templates: Templates(default: "{{content}}"))) {
                    _, _, reply in
                    reply.content("<text>")
                },
            ])
        let answer = await pipeline.run(Self.call(.get, "/", accept: Self.html))
        #expect(
            answer.html
                == "g o c|null|guest guest|1,2,|200|7 1.5 true|&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;")
        #expect(await pipeline.run(Self.call(.get, "/text", accept: Self.html)).html == "&lt;text&gt;")
    }

    @Test("AC-9: events are JSON in a script element that nothing within ends, under a fresh nonce")
    func events() async throws {
        func action(_ path: ActionPath, _ template: String?, html: String? = nil) -> Action {
            let templates = template.map { Templates(default: $0, policy: "script-src 'nonce-{nonce}'") }
            return Action(.get, path, options: ActionOptions(templates: templates)) { _, _, reply in
                reply.event("e", "</script><!--&\u{2028}\u{2029}")
                if let html { reply.html(html) }
            }
        }
        let json = #"[["e","\u003C/script\u003E\u003C!--\u0026\u2028\u2029"]]"#
        let pipeline = try self.pipeline(
            nil,
            [
                action("/placed", "<b>{{{page.script}}}</b>"), action("/appended", "<body>x</body>"),
                action("/inline", "<script nonce=\"{{page.nonce}}\">f({{{page.events}}})</script>"),
                action("/own", nil, html: "<p>x"), action("/plain", nil),
            ])
        func page(_ path: String) async throws -> (html: String, policy: String?) {
            let answer = await pipeline.run(Self.call(.get, path, accept: Self.html))
            return (try #require(answer.html), answer.contentPolicy)
        }
        let placed = try await page("/placed")
        let match = try #require(placed.policy?.wholeMatch(of: /script-src 'nonce-([A-Za-z0-9_-]{22})'/))
        let nonce = String(match.output.1)
        #expect(
            placed.html
                == "<b><script type=\"application/json\" id=\"submergence-events\" nonce=\"\(nonce)\">\(json)</script></b>"
        )
        let appended = try await page("/appended")
        #expect(appended.html.hasPrefix("<body>x<script ") && appended.html.hasSuffix("\(json)</script></body>"))
        #expect(appended.policy != placed.policy)
        let inline = try await page("/inline")
        #expect(inline.html.hasSuffix(">f(\(json))</script>") && inline.html.components(separatedBy: json).count == 2)
        let own = try await page("/own")
        #expect(own.html.hasPrefix("<p>x<script ") && own.html.contains(json) && own.policy == nil)
        #expect(await pipeline.run(Self.call(.get, "/plain", accept: Self.html)).html == nil)
    }

    @Test(
        "AC-9: templates that cannot work stop the start",
        arguments: [
            Templates(default: "{{#a}}"), Templates(statuses: [404: "{{/a}}"]), Templates(partials: ["a": "{{b"]),
            Templates(default: "{{>none}}"), Templates(partials: ["a": "{{#x}}{{>a}}{{/x}}"]),
            Templates(partials: ["a": "{{> b }}", "b": "{{>c}}", "c": "{{>a}}"]), Templates(defaults: "text"),
            Templates(policy: "a\r\nb"),
        ])
    func invalid(templates: Templates) throws {
        #expect(templates.complaint != nil)
        #expect(throws: ActionRouter.InvalidAction.self) { try ActionRouter([Self.action("/", templates)]) }
    }

    @Test("AC-9: a station with a bad template does not start")
    func station() async throws {
        var configuration = Configuration(mode: .development)
        configuration.listener.port = 0
        configuration.handlesSignals = false
        let station = try Station(configuration: configuration, logger: self.lines.logger)
        station.templates(Templates(default: "{{#a}}"))
        await #expect(throws: StartError.self) { try await station.run() }
    }
}
