import Foundation
import Logging
import Metrics
import Node

// The application of the end-to-end tests of actions (Tests/ClusterTests/EndToEnd/test_actions_socket.py): development mode,
// with limits that a test can reach. Settings come from the environment, as for the examples.

let environment = ProcessInfo.processInfo.environment
var configuration = Configuration.development
// Its events would come between those of the tests.
configuration.servesDemo = false
configuration.eventLoops = Int(environment["SUBMERGENCE_LOOPS"] ?? "") ?? 1
if let uri = environment["SUBMERGENCE_MONGODB"] {
    configuration.mongo = .init(uri: uri)
    configuration.mongo?.slotSize = 8 << 20
}
if let keys = environment["SUBMERGENCE_SIGNING_KEYS"] { configuration.signingKeys = .file(keys) }
if let handlers = environment["SUBMERGENCE_HANDLERS"].flatMap({ Int($0) }) {
    configuration.live.runningHandlers = handlers
}
if let running = environment["SUBMERGENCE_ACTIONS"].flatMap({ Int($0) }) {
    configuration.live.limits.runningActions = running
    configuration.live.limits.waitingActions = running
}
if let seconds = environment["SUBMERGENCE_STREAM_STALL"].flatMap({ Double($0) }) {
    configuration.live.limits.streamStall = seconds
}
if environment["SUBMERGENCE_RATES"] == "off" {
    configuration.live.limits.actions = nil
    configuration.live.limits.events = nil
}
if let seconds = environment["SUBMERGENCE_TICKETS"].flatMap({ Double($0) }) {
    configuration.sessions.ticketLifespan = seconds
}

let metrics = PrometheusMetricsFactory()
MetricsSystem.bootstrap(metrics)
LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
let station = try Station(configuration: configuration)
station.expose(metrics)

let gates = Gates()
let streams = Streams()

struct Person: Codable {
    let user: String
    let client: String
}

struct Broken: Error {}

// Sessions

station.action(.post, "/login") { request, agent, reply in
    let person = try request.body(as: Person.self)
    try await agent.setActive(user: person.user, client: person.client)
    reply.content(["user": agent.user, "client": agent.client])
}
station.action(.post, "/again", requires: .loggedIn) { _, agent, reply in
    try await agent.setActive()
    reply.content(["user": agent.user])
}
station.action(.post, "/idle") { _, agent, reply in
    try await agent.setIdle()
    reply.content(["standing": agent.standing.rawValue])
}
station.action(.post, "/logout") { _, agent, reply in
    try await agent.logout()
    reply.content(["standing": agent.standing.rawValue])
}
/// The session changes first, and the answer comes only when the gate is opened.
station.action(.post, "/logout-slowly/:gate") { request, agent, reply in
    try await agent.logout()
    await gates.pass(request.params["gate"] ?? "")
    reply.content(["standing": agent.standing.rawValue])
}
station.action(.get, "/agent") { request, agent, reply in
    reply.content(
        [
            "standing": .string(agent.standing.rawValue), "user": agent.user.map { .string($0) } ?? .null,
            "client": agent.client.map { .string($0) } ?? .null, "domestic": .bool(agent.isDomestic),
            "transport": .string(request.transport.rawValue),
        ] as JSONValue)
}
station.action(.get, "/private", requires: [.loggedIn, .domestic]) { _, _, reply in reply.content(["secret": 1]) }
station.action(.post, "/kick/:user") { request, _, _ in try await station.kick(user: request.params["user"] ?? "") }

// Requests and answers

station.action(nil, "/echo/:id") { request, _, reply in
    var content: [String: JSONValue] = [
        "method": .string(request.method.rawValue), "path": .string(request.path),
        "params": .object(request.params.mapValues { .string($0) }),
        "query": .object(request.query.mapValues { .string($0) }), "transport": .string(request.transport.rawValue),
        "type": request.contentType.map { .string($0) } ?? .null,
    ]
    switch request.body {
    case .json(let value): content["body"] = value
    case .none: break
    default: content["body"] = "another body"
    }
    reply.content(content)
}
station.action(.put, "/only-put") { _, _, reply in reply.content(["put": true]) }
station.action(.get, "/hidden", options: ActionOptions(isHidden: true)) { _, _, _ in }
station.action(.get, "/events") { _, _, reply in
    reply.event("first", 1)
    reply.event("second", ["a": "b"])
    reply.content(["count": 2])
}
station.action(.get, "/redirect") { _, _, reply in try reply.redirect("/elsewhere") }
station.action(.post, "/throws") { _, _, _ in throw Broken() }
station.action(.post, "/teapot") { _, _, _ in throw ActionError(418, "TEAPOT", ["short": true, "stout": true]) }
station.action(.post, "/never", options: ActionOptions(timeLimit: .milliseconds(50))) { _, _, _ in
    await gates.pass("never opened")
}
station.action(.get, "/large") { _, _, reply in reply.content(["x": String(repeating: "x", count: 1_000_000)]) }
station.action(.get, "/gate/:name") { request, _, reply in
    await gates.pass(request.params["name"] ?? "")
    reply.content(["passed": request.params["name"]])
}
station.action(.post, "/release/:name") { request, _, reply in
    await gates.release(request.params["name"] ?? "")
    reply.content(["entered": await gates.entered])
}

// Streams

station.action(.get, "/stream/:name") { request, _, reply in
    let pattern = Pattern(request.params["name"] ?? "", request.query, streams)
    let length = request.query["unknown"] == nil ? request.query["bytes"].flatMap { Int($0) } : nil
    reply.stream(length: length, type: "application/x-pattern") { try await pattern.next() }
}
station.action(.get, "/stream-state/:name") { request, _, reply in
    reply.content(streams.state(of: request.params["name"] ?? ""))
}

/// Comes back behind every reply that is on its way.
station.on(event: "echo") { event in try event.acknowledge() }

// Another way to the same: in this process.

station.setup("the first note") {
    let agent = try station.agent(user: "setup", client: "process")
    let result = try await station.run(.put, "/echo/7?a=1", as: agent, query: ["b": "2"], body: ["note": "first"])
    let content = result.content
    guard result.status == 200, content["transport"] == "process", content["query"] == ["a": "1", "b": "2"] else {
        throw Broken()
    }
}
station.action(.get, "/in-process/:id") { request, agent, reply in
    let result = try await station.run(.get, "/agent", as: agent)
    reply.content(["status": .int(Int64(result.status)), "content": result.content] as JSONValue)
}

try await station.run()
