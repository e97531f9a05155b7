import Logging
import Node
import ServiceLifecycle
import Testing

/// The application: what `main` installs, and tests do, too.
private func install(on station: Station) {
    struct Post: Codable { let text: String }
    station.action(.post, "/posts", requires: .loggedIn) { request, agent, reply in
        let post = try request.body(as: Post.self)
        reply.content(["by": agent.user ?? "", "text": post.text])
        reply.done(201)
    }
}

/// Runs an application on ports that are free, in memory, until `body` returns.
private func running(_ station: Station, _ body: @escaping @Sendable () async throws -> Void) async throws {
    let (started, open) = AsyncStream.makeStream(of: Void.self)
    station.onStart { _ in open.finish() }
    let group = ServiceGroup(
        configuration: .init(
            services: [.init(service: station, successTerminationBehavior: .gracefullyShutdownGroup)],
            logger: Logger(label: "test")))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        for await _ in started {}
        do {
            try await body()
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

@Test func onlyThoseWhoAreLoggedInWrite() async throws {
    var configuration = Configuration.development
    configuration.listener.port = 0
    configuration.control = .init(port: 0)
    configuration.handlesSignals = false
    let station = try Station(configuration: configuration)
    install(on: station)
    try await running(station) {
        let alice = try station.agent(user: "alice", client: "laptop")
        let written = try await station.run(.post, "/posts", as: alice, body: ["text": "hello"])
        #expect(written.status == 201)
        #expect(written.content == ["by": "alice", "text": "hello"])

        let guest = try station.agent()
        #expect(try await station.run(.post, "/posts", as: guest, body: ["text": "hello"]).status == 403)
        #expect(try await station.run(.post, "/posts", as: alice, body: ["txt": "hello"]).status == 400)
    }
}
