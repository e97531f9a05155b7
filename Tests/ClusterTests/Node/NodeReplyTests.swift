import Logging
import NIOCore
import Routing
import Synchronization
import Testing

@testable import Node

@Suite("AC: answers of actions")
struct NodeReplyTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    @Test("AC-7: content merges at every depth; events, redirect, clear and explicit status")
    func replies() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/merge") { _, _, reply in
                reply.content(["a": ["x": 1, "y": [1]], "b": 1] as JSONValue)
                reply.content(
                    ["a": ["y": [2], "z": nil], "c": .string(NodeTestLogin(user: "u", device: "d").user)] as JSONValue)
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
        #expect(
            cleared.status == 200 && cleared.content == ["b": 2] && cleared.events.isEmpty && cleared.location == nil)
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

    @Test(
        "AC-8: HTML only where it is preferred and there is some",
        arguments: [
            ([], true, false), (["text/html"], true, true), (["text/html"], false, false), (["*/*"], true, false),
            (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], true, true),
            (["application/json, text/html;q=0.9"], true, false),
            (["text/html;q=0.5", "application/json;q=0.4"], true, true),
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

    @Test(
        "AC-12: 503 without the store or with a full pool; 504 after the time limit, even if the handler does not care")
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
            Self.call(.get, "/", agent: { throw StoreError(.unavailable, operation: "sessions.find", message: "away") })
        )
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
