import Logging
import NIOCore
import Routing

/// The control API's requests, as actions on a router of their own: so they have schemas, limits, errors, a log and an
/// OpenAPI document like those of applications (SPEC RM-1).
struct ControlActions: Sendable {
    private let access: ControlAccess
    /// The station that is asked; nil before it runs and after.
    private let station: @Sendable () -> RunningStation?
    private let audit: Logger

    init(_ access: ControlAccess, station: @escaping @Sendable () -> RunningStation?, audit: Logger) {
        self.access = access
        self.station = station
        self.audit = audit
    }

    private static let bodyLimit = 4_194_304

    var all: [ControlEndpoint] {
        [
            self.post("event", EventCommand.self, .send, "Sends an event to one or several people.") {
                command, agent, station in
                try await self.send(command, agent, station)
            },
            self.post("events", EventsCommand.self, .send, "Sends many events, in their order.") {
                command, agent, station in
                var answers: [EventAnswer] = []
                for event in command.events {
                    do {
                        answers.append(try await self.send(event, agent, station))
                    } catch let error as ActionError {
                        answers.append(EventAnswer(error: error.content))
                    }
                }
                return ["events": answers]
            },
            ControlEndpoint(
                .presence, "Whether somebody is there, and on which devices.",
                Action(
                    .get, "/v1/active", options: ActionOptions(querySchema: ActionSchema(of: PresenceQuery.self))
                ) { request, agent, reply in
                    let query = try request.query(as: PresenceQuery.self)
                    reply.content(
                        try await self.running { station in
                            let domain = try self.domain(query.domain, agent, .presence, station)
                            return try await station.presence(of: [query.user], client: query.client, domain: domain)
                        })
                }),
            self.post("active", PresenceCommand.self, .presence, "Who of many people is there.") {
                command, agent, station in
                let domain = try self.domain(command.domain, agent, .presence, station)
                return try await station.presence(of: command.users, client: nil, domain: domain)
            },
            self.post("kick", PersonCommand.self, .kick, "Disconnects somebody everywhere; sessions stay.") {
                command, agent, station in
                let domain = try self.domain(command.domain, agent, .kick, station)
                let key = try station.key(domain: domain, user: command.user)
                try await station.revocation.kick(Kick(domain: key.domain, user: key.user, client: command.client))
                self.note("kick", agent, key, command.client)
                return [String: String]()
            },
            self.post("logout", PersonCommand.self, .kick, "Ends sessions and connections of somebody everywhere.") {
                command, agent, station in
                let domain = try self.domain(command.domain, agent, .kick, station)
                let key = try station.key(domain: domain, user: command.user)
                try await station.revocation.revokeAll(
                    Invalidation(domain: key.domain, user: key.user, client: command.client, reason: .logout))
                self.note("logout", agent, key, command.client)
                return [String: String]()
            },
            self.post("links/close", PersonCommand.self, .links, "Closes all Links of somebody, or of one device.") {
                command, agent, station in
                let domain = try self.domain(command.domain, agent, .links, station)
                let key = try station.key(domain: domain, user: command.user)
                let count = try await station.closeLinks(of: key, client: command.client)
                self.note("closeLinks", agent, key, command.client)
                return ["closed": count]
            },
            self.post("sessions", SessionCommand.self, .sessions, "Logs somebody in: cookies, or a token.") {
                command, agent, station in
                let domain = try self.domain(command.domain, agent, .sessions, station)
                let key = try station.key(domain: domain, user: command.user)
                let answer = try await station.authority.issue(
                    user: key.user, client: command.client, domain: key.domain, isRemembered: command.remember ?? false)
                self.note("session", agent, key, command.client)
                return answer
            },
            ControlEndpoint(
                .status, "What the node says about itself and the cluster.",
                Action(.get, "/v1/status") { _, agent, reply in
                    try self.access.check(agent, .status)
                    reply.content(try await self.running { try await $0.status() })
                }),
        ]
    }

    private func post<Body: Decodable & Sendable & SendableMetatype, Content: Encodable & Sendable & SendableMetatype>(
        _ name: String, _ body: Body.Type, _ scope: ControlScope, _ summary: String,
        _ handler: @escaping @Sendable (Body, Agent, RunningStation) async throws -> Content
    ) -> ControlEndpoint {
        let options = ActionOptions(maxBodyLength: Self.bodyLimit).typed(body: body)
        return ControlEndpoint(
            scope, summary,
            Action(.post, ActionPath("/v1/\(name)"), options: options) { request, agent, reply in
                let body = try request.body(as: Body.self)
                reply.content(try await self.running { try await handler(body, agent, $0) })
            })
    }

    /// Errors of the station in the words of the API.
    private func running<Content: Sendable>(
        _ body: (RunningStation) async throws -> Content
    ) async throws -> Content {
        guard let station = self.station() else { throw ActionError.unavailable }
        do {
            return try await body(station)
        } catch let error as StationError {
            throw Self.answer(to: error)
        } catch let error as SessionError {
            self.audit.warning("a session could not be made", metadata: ["error": "\(error)"])
            throw error == .identityInvalid ? ActionError(400, "IDENTITY") : ActionError.unavailable
        } catch let error as StoreError {
            self.audit.warning("the store did not answer", metadata: ["error": "\(error)"])
            throw ActionError.unavailable
        }
    }

    private static func answer(to error: StationError) -> ActionError {
        switch error {
        case .notRunning, .unavailable: .unavailable
        case .domainMissing:
            .schema(at: "body", path: "/domain", message: "is required, as this cluster has several domains")
        case .unknownDomain: ActionError(404, "DOMAIN")
        case .invalidIdentifier: ActionError(400, "IDENTITY")
        case .reservedName(let name): ActionError(400, "RESERVED", ["message": .string("\(name) is the product's own")])
        case .invalidEvent(let why): ActionError(400, "EVENT", ["message": .string(why)])
        }
    }

    private func domain(
        _ name: String?, _ agent: Agent, _ scope: ControlScope, _ station: RunningStation
    ) throws -> String {
        // A key of one domain means that one.
        let domain = try station.domain(name ?? (agent.domain.isEmpty ? nil : agent.domain))
        try self.access.check(agent, scope, domain: domain)
        return domain
    }

    private func send(
        _ command: EventCommand, _ agent: Agent, _ station: RunningStation
    ) async throws -> EventAnswer {
        do {
            let domain = try self.domain(command.domain, agent, .send, station)
            let users = try command.recipients()
            let packet = try station.live.packet(command.name(), Array(command.event.dropFirst()), namespace: "/")
            let keys = try users.map { try station.key(domain: domain, user: $0) }
            let receipts = try await station.send(
                packet, to: keys, client: command.client, try command.mode(), command.confirmation)
            return EventAnswer(receipts: zip(users, receipts).map { EventAnswer.Recipient(user: $0, receipt: $1) })
        } catch let error as StationError {
            throw Self.answer(to: error)
        }
    }

    /// What was done to whom by which key. Events are counted, not noted.
    private func note(_ what: String, _ agent: Agent, _ key: RouteKey, _ client: String?) {
        self.audit.notice(
            "control",
            metadata: [
                "key": "\(agent.user ?? "?")", "action": "\(what)", "domain": "\(key.domain)", "user": "\(key.user)",
                "client": "\(client ?? "*")", "address": "\(agent.address)",
            ])
    }
}
