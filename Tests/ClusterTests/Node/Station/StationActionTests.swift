import Logging
import NIOCore
import Synchronization
import Testing

@testable import Node

/// Actions that an application runs itself, and what runs before its port opens (SPEC AC-14).
@Suite(.timeLimit(.minutes(1))) struct StationActionTests {
    private struct Broken: Error {}

    private struct Post: Codable, Sendable {
        let text: String
    }

    private static func status(
        _ station: Station, _ agent: Agent, _ target: String = "/posts/7", body: Post? = Post(text: "")
    ) async throws -> Int {
        let result = try await station.run(.put, target, as: agent, body: body)
        return result.status
    }

    @Test("AC-14: an action runs in process, through the same pipeline, as whomever the application says")
    func inProcess() async throws {
        let station = try Station(configuration: StationTests.configuration(), logger: StationTests.quiet)
        station.action(.put, "/posts/:id", requires: [.loggedIn, .domestic]) { request, agent, reply in
            let post = try request.body(as: Post.self)
            reply.event("saved", request.params["id"], agent.user)
            reply.content(
                [
                    "text": .string(post.text), "query": .object(request.query.mapValues { .string($0) }),
                    "transport": .string(request.transport.rawValue), "domain": .string(request.domain),
                ] as JSONValue)
            reply.done(201)
        }
        station.action(.post, "/login") { _, agent, _ in try await agent.setActive(user: "carol", client: "c") }
        #expect(throws: StationError.notRunning) { try station.agent(user: "alice") }
        try await StationTests.withStation(station) { _, _ in
            let alice = try station.agent(user: "alice", client: "laptop")
            let result = try await station.run(
                .put, "/posts/7?a=1&b=2", as: alice, query: ["b": "3", "_domestic": "x"], body: Post(text: "hello"))
            #expect(result.status == 201)
            #expect(
                result.content
                    == [
                        "text": "hello", "query": ["a": "1", "b": "3"], "transport": "process", "domain": "localhost",
                    ])
            #expect(result.events == [["saved", "7", "alice"]])
            #expect(try await Self.status(station, station.agent()) == 403)
            #expect(try await Self.status(station, station.agent(user: "a", client: "b", standing: .idle)) == 403)
            #expect(try await Self.status(station, station.agent(user: "a", client: "b", isDomestic: false)) == 403)
            #expect(try await Self.status(station, alice, body: nil) == 400)
            #expect(try await Self.status(station, alice, "/nowhere") == 404)
            #expect(try await Self.status(station, alice, "posts/7") == 400)
            #expect(try await station.run(.get, "/posts/7", as: alice).status == 405)
            #expect(try await station.run(.options, "/posts/7", as: alice).content == ["PUT": true])
            // Its session can change, as that of any requester.
            let guest = try station.agent()
            #expect(try await station.run(.post, "/login", as: guest).status == 200)
            #expect(guest.user == "carol" && guest.isActive)
            #expect(throws: StationError.invalidIdentifier("")) { try station.agent(user: "") }
            #expect(throws: StationError.unknownDomain("other.example")) { try station.agent(domain: "other.example") }
        }
    }

    @Test("AC-14: setup hooks run in their order, before the port opens, and may run actions")
    func setup() async throws {
        let station = try Station(configuration: StationTests.configuration(), logger: StationTests.quiet)
        let order = Mutex<[String]>([])
        station.action(.get, "/ping") { _, _, reply in reply.content(["pong": true]) }
        station.onStart { _ in order.withLock { $0.append("open") } }
        station.setup { order.withLock { $0.append("first") } }
        station.setup("the second one") {
            let agent = try station.agent(user: "setup", client: "process")
            let result = try await station.run(.get, "/ping", as: agent)
            order.withLock { $0.append("second \(result.status)") }
        }
        try await StationTests.withStation(station) { _, _ in
            #expect(order.withLock { $0 } == ["first", "second 200", "open"])
        }
    }

    @Test("AC-14: a setup hook that fails stops the start, and says which one it was")
    func failingSetup() async throws {
        let station = try Station(configuration: StationTests.configuration(), logger: StationTests.quiet)
        let isOpen = Mutex(false)
        station.onStart { _ in isOpen.withLock { $0 = true } }
        station.setup("the table of prices") { throw Broken() }
        station.setup { Issue.record("nothing runs behind a failure") }
        let error = await #expect(throws: StartError.self) { try await station.run() }
        #expect(error?.what == "cannot set up: the table of prices failed")
        #expect(error?.why == "Broken()")
        #expect(!isOpen.withLock { $0 })
    }
}
