import Foundation
import Metrics
import Node
import Synchronization

// The application that hostile pages attack in test_hostile_origins.py: every action of it that has an effect writes it
// down, so that a test sees what really happened. Without BANK_DOMAINS it runs in development mode.

struct Person: Decodable { let user, device: String }
struct Transfer: Codable { let to: String }
struct Entry: Codable { let user, kind, detail: String }

final class Ledger: Sendable {
    private let entries = Mutex<[Entry]>([])

    var all: [Entry] { self.entries.withLock(\.self) }

    func write(_ user: String?, _ kind: String, _ detail: String) {
        self.entries.withLock { $0.append(Entry(user: user ?? "?", kind: kind, detail: detail)) }
    }
}

let environment = ProcessInfo.processInfo.environment
let domains = environment["BANK_DOMAINS"]?.split(separator: ",").map(String.init) ?? []
var configuration = Configuration(mode: domains.isEmpty ? .development : .production)
configuration.listener.port = environment["SUBMERGENCE_PORT"].flatMap { Int($0) } ?? 8080
configuration.control = environment["SUBMERGENCE_CONTROL_PORT"].flatMap { Int($0) }.map { .init(port: $0) }
configuration.domains = domains.map { .init($0) }
if let keys = environment["BANK_KEYS"] { configuration.signingKeys = .file(keys) }
configuration.live.allowForeignSockets = environment["BANK_ALLOWS_FOREIGN_SOCKETS"] != nil
if let origin = environment["BANK_SHARES_WITH"] {
    configuration.live.transport.crossOrigin = CrossOriginOptions(origins: .list([origin]), credentials: true)
}

let registry = PrometheusMetricsFactory()
MetricsSystem.bootstrap(registry)
let ledger = Ledger()
let station = try Station(configuration: configuration)
station.expose(registry)

station.action(.get, "/") { _, agent, reply in
    reply.html("<!doctype html><meta charset=utf-8><title>bank</title><button id=pay>\(agent.isActive)</button>")
}
station.action(.post, "/login") { request, agent, reply in
    let who = try request.body(as: Person.self)
    try await agent.setActive(user: who.user, client: who.device)
    ledger.write(who.user, "login", who.device)
    reply.content(["user": who.user])
}
station.action(.post, "/logout", requires: [.domestic]) { _, agent, reply in
    ledger.write(agent.user, "logout", "")
    try await agent.logout()
    reply.content(["standing": agent.standing.rawValue])
}
station.action(.post, "/transfer", requires: [.loggedIn, .domestic]) { request, agent, reply in
    let transfer = try request.body(as: Transfer.self)
    ledger.write(agent.user, "transfer", transfer.to)
    reply.content(["done": true])
}
// As careless applications have it: any method, everything in the query.
station.action(nil, "/gift", requires: [.loggedIn, .domestic]) { request, agent, reply in
    ledger.write(agent.user, "gift", request.query["to"] ?? "")
    reply.content(["done": true])
}
station.action(.get, "/me") { _, agent, reply in
    reply.content(["standing": agent.standing.rawValue, "user": agent.user])
    reply.content(["domestic": agent.isDomestic])
}
station.action(.get, "/secret", requires: [.loggedIn]) { _, agent, reply in
    reply.content(["secret": "the secret of \(agent.user ?? "?")"])
}
station.action(.get, "/go") { request, _, reply in
    try reply.redirect(toLocal: request.query["next"] ?? "/")
}
station.action(.get, "/ledger") { _, _, reply in reply.content(["entries": ledger.all]) }
station.on(event: "transfer") { event in
    ledger.write(event.user, "socket", try event.argument(0, as: String.self))
    try event.acknowledge(true)
}

try await station.run()
