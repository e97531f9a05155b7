import Logging
import Routing
import Wire

/// Where webhooks and the application's own hooks meet.
extension RunningStation {
    /// - Throws: ``StartError``.
    static func webhooks(
        _ configuration: Configuration, _ router: ActionRouter, _ policy: OutboundPolicy,
        now: @escaping @Sendable () -> Int64,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool, _ logger: Logger
    ) throws -> Webhooks {
        let clock = SystemClusterClock()
        let webhooks = Webhooks(
            router, refresh: configuration.signingKeyRefresh,
            WebhookTarget.Environment(
                policy: policy, metrics: WebhookMetrics(), now: { clock.now() / 1_000_000 }, wallTime: now,
                submit: submit, traceRate: configuration.mongo?.traceRate ?? 0, logger: logger))
        for domain in configuration.domains {
            guard let name = configuration.canonicalDomain(domain.name) else { continue }
            do {
                // Also where nothing is signed by it yet.
                _ = try WebhookSecret.load(domain.options.webhooks.secrets)
                try webhooks.configure(name, domain.options.webhooks)
            } catch {
                throw StartError(
                    "the webhooks of \(domain.name) cannot work", why: "\(error)", remedy: "See docs/webhooks.md.")
            }
        }
        return webhooks
    }

    /// What a node's own configuration says of webhooks, by canonical domain: of all that are served.
    static func ownWebhooks(_ configuration: Configuration) -> [String: WebhookOptions] {
        var own: [String: WebhookOptions] = [:]
        for name in configuration.servedDomains {
            let domain = configuration.domains.first { HostName.configured($0.name) == name }
            own[name] = domain?.options.webhooks ?? WebhookOptions()
        }
        return own
    }

    /// A domain's webhook decides in place of the application's own hook; without either, requests for Links are denied.
    static func peerRequest(_ webhooks: Webhooks, _ own: PeerRequestHandler?) -> PeerRequestHandler {
        { agent, query in
            if let decision = try await webhooks.decide(agent, query) { return decision }
            return try await own?(agent, query) ?? .deny
        }
    }

    /// The liveConnection hook: its reply's events go to the connection that came live (SPEC LC-5).
    static func liveConnectionHook(
        _ own: [Station.ActionlessHandler], _ webhooks: Webhooks, _ logger: Logger
    ) -> LiveConnectionHook {
        LiveConnectionHook(isWanted: { !own.isEmpty || webhooks.has(.liveConnection, in: $0) }) {
            handshake, identity, socket in
            let agent = Agent(
                domain: identity.domain, user: identity.user, client: identity.client,
                isDomestic: identity.isDomestic, address: handshake.source.address,
                userAgent: handshake.headers.single("user-agent"))
            for handler in own + [{ try await webhooks.greet($0, $1) }] {
                let reply = Reply(logger: logger)
                do {
                    try await handler(agent, reply)
                    for event in try await reply.packets() { socket.send(event, .required) }
                } catch {
                    logger.error("liveConnection handler failed", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
