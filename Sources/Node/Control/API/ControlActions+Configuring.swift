/// What a domain does, told while nodes run (SPEC RM-4).
extension ControlActions {
    private static let configurationPath: ActionPath = "/v1/config/:domain"

    var configuring: [ControlEndpoint] {
        [
            ControlEndpoint(
                .config, "Where actions and hooks of a domain go, and by which version of its configuration.",
                Action(.get, Self.configurationPath) { request, agent, reply in
                    try await self.running { station in
                        let domain = try self.domain(request.params["domain"], agent, .config, station)
                        let answer = try await station.domains.answer(for: domain)
                        reply.content(answer)
                        reply.tag(String(answer.version))
                    }
                }),
            ControlEndpoint(
                .config, "Stores a domain's configuration for all nodes, in place of the version that it names.",
                Action(
                    .put, Self.configurationPath,
                    options: ActionOptions(
                        maxBodyLength: DomainCommand.longest, bodySchema: ActionSchema(DomainCommand.schema))
                ) { request, agent, reply in
                    let command = try DomainCommand(body: request.checkedBody ?? .null, ifMatch: request.ifMatch)
                    try await self.running { station in
                        let domain = try self.domain(request.params["domain"], agent, .config, station)
                        let version: Int64
                        do {
                            version = try await station.domains.put(
                                command.configuration, for: domain, replacing: command.version, by: agent.user ?? "")
                        } catch let refusal as DomainRefusal {
                            throw Self.answer(to: refusal, replacing: command.version)
                        }
                        self.audit.note("config", agent, domain: domain)
                        reply.content(["domain": .string(domain), "version": .int(version)] as JSONValue)
                        reply.tag(String(version))
                    }
                }),
        ]
    }

    private static func answer(to refusal: DomainRefusal, replacing version: Int64) -> ActionError {
        switch refusal {
        case .stale(let present):
            let what = version == 0 ? "nothing" : "version \(version)"
            let found = present == 0 ? "nothing" : "version \(present)"
            return ActionError(
                412, "VERSION",
                [
                    "version": .int(present),
                    "message": .string("\(what) was to be replaced, and \(found) is stored: read it, and change that"),
                ])
        case .mistakes(let mistakes):
            return ActionError(
                400, "CONFIGURATION",
                [
                    "mistakes": .array(
                        mistakes.all.map { ["path": .string($0.path), "message": .string($0.message)] })
                ])
        case .secret(let why):
            return ActionError(
                409, "SECRET",
                ["message": .string("requests of this domain could not be signed: \(why). See docs/webhooks.md")])
        }
    }
}
