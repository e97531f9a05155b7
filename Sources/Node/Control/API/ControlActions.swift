import Logging
import NIOCore
import Routing

/// The control API's requests, as actions on a router of their own: so they have schemas, limits, errors, a log and an
/// OpenAPI document like those of applications (SPEC RM-1).
struct ControlActions: Sendable {
    let access: ControlAccess
    /// The station that is asked; nil before it runs and after.
    private let station: @Sendable () -> RunningStation?
    let audit: AuditLog
    let streams: ControlStreams

    init(
        _ access: ControlAccess, station: @escaping @Sendable () -> RunningStation?, audit: AuditLog,
        streams: ControlStreams
    ) {
        self.access = access
        self.station = station
        self.audit = audit
        self.streams = streams
    }

    private static let bodyLimit = 4_194_304

    var all: [ControlEndpoint] { self.commands + self.configuring + self.watching }

    private var commands: [ControlEndpoint] {
        [
            self.sending("event", EventCommand.self, "Sends an event to one or several people.") {
                command, agent, trace, station in
                try await self.send(command, agent, trace, station)
            },
            self.sending("events", EventsCommand.self, "Sends many events, in their order.") {
                command, agent, trace, station in
                var answers: [EventAnswer] = []
                for event in command.events {
                    do {
                        answers.append(try await self.send(event, agent, trace, station))
                    } catch let error as ActionError {
                        answers.append(EventAnswer(error: error.content))
                    }
                }
                return ["events": answers]
            },
            ControlEndpoint(
                .presence, "Whether somebody is there, on which devices, and in which tabs.",
                self.get("active", PresenceQuery.self) { query, agent, station in
                    let domain = try self.domain(query.domain, agent, .presence, station)
                    return try await station.presence(
                        of: [query.user], client: query.client, domain: domain, namesTabs: true)
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
            ControlEndpoint(
                .links, "The Links of somebody, or of one device.",
                self.get("links", PresenceQuery.self) { query, agent, station in
                    let domain = try self.domain(query.domain, agent, .links, station)
                    return try await station.links(
                        of: try station.key(domain: domain, user: query.user), client: query.client)
                }),
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

    func get<Query: Decodable & Sendable & SendableMetatype, Content: Encodable & Sendable & SendableMetatype>(
        _ name: String, _ query: Query.Type,
        _ handler: @escaping @Sendable (Query, Agent, RunningStation) async throws -> Content
    ) -> Action {
        let options = ActionOptions(querySchema: ActionSchema(of: query))
        return Action(.get, ActionPath("/v1/\(name)"), options: options) { request, agent, reply in
            let query = try request.query(as: Query.self)
            reply.content(try await self.running { try await handler(query, agent, $0) })
        }
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
                // What changes something else than events do may be repeated as it is, or must not be kept.
                reply.content(try await self.running { try await handler(body, agent, $0) })
            })
    }

    /// Sends events: may be in a trace of the application's, and has `Idempotency-Key`.
    private func sending<
        Body: Decodable & Sendable & SendableMetatype, Content: Encodable & Sendable & SendableMetatype
    >(
        _ name: String, _ body: Body.Type, _ summary: String,
        _ handler: @escaping @Sendable (Body, Agent, TraceSpan?, RunningStation) async throws -> Content
    ) -> ControlEndpoint {
        let options = ActionOptions(maxBodyLength: Self.bodyLimit).typed(body: body)
        return ControlEndpoint(
            .send, summary,
            Action(.post, ActionPath("/v1/\(name)"), options: options) { request, agent, reply in
                let body = try request.body(as: Body.self)
                reply.content(
                    try await self.running { station in
                        let perform = {
                            try JSONValue(encoding: try await handler(body, agent, request.trace?.span, station))
                        }
                        guard let key = request.idempotencyKey else { return try await perform() }
                        return try await station.idempotency.answer(
                            key, who: agent.user ?? "", path: request.path, body: request.checkedBody ?? .null, perform)
                    })
            })
    }

    /// Errors of the station in the words of the API.
    func running<Content: Sendable>(
        _ body: (RunningStation) async throws -> Content
    ) async throws -> Content {
        guard let station = self.station() else { throw ActionError.unavailable }
        do {
            return try await body(station)
        } catch let error as StationError {
            throw Self.answer(to: error)
        } catch let error as SessionError {
            self.audit.logger.warning("a session could not be made", metadata: ["error": "\(error)"])
            throw error == .identityInvalid ? ActionError(400, "IDENTITY") : ActionError.unavailable
        } catch let error as StoreError {
            self.audit.logger.warning("the store did not answer", metadata: ["error": "\(error)"])
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

    /// The domain that is meant, by its canonical name, where the key is good for it.
    func domain(
        _ name: String?, _ agent: Agent, _ scope: ControlScope, _ station: RunningStation
    ) throws -> String {
        // A key of one domain means that one.
        let domain = try station.domain(name ?? (agent.domain.isEmpty ? nil : agent.domain))
        try self.access.check(agent, scope, domain: domain)
        return domain
    }

    private func send(
        _ command: EventCommand, _ agent: Agent, _ trace: TraceSpan?, _ station: RunningStation
    ) async throws -> EventAnswer {
        do {
            let domain = try self.domain(command.domain, agent, .send, station)
            let users = try command.recipients()
            let packet = try station.live.packet(command.name(), Array(command.event.dropFirst()), namespace: "/")
            let keys = try users.map { try station.key(domain: domain, user: $0) }
            let receipts = try await station.send(
                packet, to: keys, client: command.client, try command.mode(), command.confirmation, in: trace)
            self.audit.note("event", agent, domain: domain, user: users.count == 1 ? users[0] : nil, count: users.count)
            return EventAnswer(receipts: zip(users, receipts).map { EventAnswer.Recipient(user: $0, receipt: $1) })
        } catch let error as StationError {
            throw Self.answer(to: error)
        }
    }

    /// What was done to whom by which key.
    private func note(_ what: String, _ agent: Agent, _ key: RouteKey, _ client: String?) {
        self.audit.note(what, agent, domain: key.domain, user: key.user, client: client)
    }
}
