import Foundation
import Logging
import Metrics
import Node

// The application of the end-to-end tests of Links (Tests/ClusterTests/EndToEnd/test_links.py): development mode, or with
// domains production. Settings come from the environment, as for the examples.

let environment = ProcessInfo.processInfo.environment
let domains = environment["SUBMERGENCE_DOMAINS"]?.split(separator: ",").map { Configuration.Domain(String($0)) } ?? []
var configuration = Configuration.development
if !domains.isEmpty {
    configuration = Configuration(mode: .production)
    configuration.domains = domains
    (configuration.listener, configuration.control) = (
        Configuration.development.listener, Configuration.development.control
    )
}
// Its events would come between those of the tests.
configuration.servesDemo = false
configuration.name = environment["SUBMERGENCE_NAME"]
configuration.eventLoops = 2
if let uri = environment["SUBMERGENCE_MONGODB"] {
    configuration.mongo = .init(uri: uri)
    configuration.mongo?.slotSize = 8 << 20
    if let database = environment["SUBMERGENCE_DATABASE"] { configuration.mongo?.database = database }
}
if let keys = environment["SUBMERGENCE_SIGNING_KEYS"] { configuration.signingKeys = .file(keys) }
if let seconds = environment["SUBMERGENCE_LINK_GRACE"].flatMap({ Double($0) }) {
    configuration.live.linkGrace = seconds
}
if let seconds = environment["SUBMERGENCE_RECOVERY"].flatMap({ Double($0) }) {
    configuration.live.recoveryWindow = seconds
}
if environment["SUBMERGENCE_RATES"] == "off" {
    configuration.live.limits.links = nil
    configuration.live.limits.peers = nil
    configuration.live.limits.actions = nil
    configuration.live.limits.events = nil
}

let metrics = PrometheusMetricsFactory()
MetricsSystem.bootstrap(metrics)
LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
let station = try Station(configuration: configuration)
station.expose(metrics)

struct Broken: Error {}

// The query says what the hook is to do with it.
station.on(.peerRequest) { agent, query in
    if query["throw"]?.bool == true { throw Broken() }
    // Never decides; ends with its task.
    if query["hang"]?.bool == true { for await _ in AsyncStream<Never>(Never.self, { _ in }) {} }
    guard let user = query["user"]?.string else { return .deny }
    return .allow(
        user: user, client: query["client"]?.string, info: query["info"] ?? ["from": .string(agent.user ?? "?")])
}
station.on(.liveConnection) { agent, reply in reply.event("hello", agent.user ?? "?") }
station.on(event: "closeLinks") { event in
    let count = try await station.closeLinks(
        user: try event.argument(0), client: event.count > 1 ? try event.argument(1) : nil, domain: event.domain)
    try event.acknowledge(count)
}
station.on(event: "kick") { event in
    try await station.kick(
        user: try event.argument(0), client: event.count > 1 ? try event.argument(1) : nil, domain: event.domain)
    try event.acknowledge(true)
}
station.on(event: "logout") { event in
    try await station.logout(
        user: try event.argument(0), client: event.count > 1 ? try event.argument(1) : nil, domain: event.domain)
    try event.acknowledge(true)
}
station.action(.post, "/login") { request, agent, reply in
    struct Person: Codable {
        let user: String
        let client: String
    }
    let person = try request.body(as: Person.self)
    try await agent.setActive(user: person.user, client: person.client)
    reply.content(["user": agent.user, "client": agent.client])
}

try await station.run()
