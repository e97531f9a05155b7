import Logging
import Routing

extension RunningStation {
    /// Actions over sockets; nil in conformance mode, where the product's own events are none.
    static func socketActions(
        _ configuration: Configuration, _ pipeline: ActionPipeline, _ tickets: SessionTickets,
        _ authority: SessionAuthority, _ logger: Logger
    ) -> SocketActions? {
        guard configuration.mode != .conformance else { return nil }
        return SocketActions(
            pipeline: pipeline, tickets: tickets, limits: configuration.live.limits, logger: logger
        ) { requester, turn in
            let identity = requester.identity
            guard let session = identity.session else {
                // Believed, in development mode: there is no session that could end, or change.
                return Agent(
                    domain: identity.domain, user: identity.user, client: identity.client,
                    isDomestic: identity.isDomestic, address: requester.address, userAgent: requester.userAgent)
            }
            return try await authority.agent(
                ofSocket: session.hash, in: identity.domain, isDomestic: identity.isDomestic,
                originIsOwn: requester.originIsOwn, address: requester.address, userAgent: requester.userAgent,
                willChange: { turn.noteChange() })
        }
    }
}
