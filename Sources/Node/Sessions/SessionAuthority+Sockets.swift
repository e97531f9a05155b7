package import Routing

extension SessionMachine {
    /// What a session is worth to a live connection that is bound to it. Age and renewal do not end that (SPEC ID-16): only
    /// invalidation, the end of the login and the end of the record do.
    package func socketState(of record: SessionRecord?, in domain: String, at now: Int64) -> State {
        guard let record else { return .guest(.unknown) }
        guard record.domain == domain else { return .guest(.otherDomain) }
        guard now < record.expires else { return .guest(.expired) }
        guard record.isValid else { return .idle }
        if self.loginLifespan > 0 && now - record.login >= self.loginLifespan { return .idle }
        return .active(isDue: now - record.created >= self.lifespan)
    }
}

extension SessionAuthority {
    /// The agent of an action over a live connection: its session is read again, through the cache, so that one that has ended
    /// meanwhile counts for nothing. What the connection proved when it was made stays proved.
    ///
    /// - Parameters:
    ///   - isDomestic: whether the connection is.
    ///   - originIsOwn: whether no page of another origin has made it.
    ///   - willChange: called before the agent changes its session.
    package func agent(
        ofSocket session: [UInt8], in domain: String, isDomestic: Bool, originIsOwn: Bool, address: String,
        userAgent: String?,
        willChange: @escaping @Sendable () -> Void
    ) async throws(StoreError) -> Agent {
        let record = try await self.find(session, in: domain)
        let standing: Agent.Standing =
            switch self.machine.socketState(of: record, in: domain, at: self.now()) {
            case .guest: .guest
            case .idle: .idle
            case .active: .active
            }
        let known = standing == .guest ? nil : record
        if let known, standing == .active { self.noteActivity(of: known) }
        return Agent(
            domain: domain, address: address, userAgent: userAgent, authority: self, originIsOwn: originIsOwn,
            state: Agent.State(
                standing: standing, user: known?.user, client: known?.client, record: known,
                isDomestic: isDomestic && known != nil, cookies: []),
            willChange: willChange)
    }

    /// An agent that no request stands behind, and whose session can change all the same: for actions that the application
    /// runs itself.
    package func agent(
        believing user: String?, client: String?, in domain: String, standing: Agent.Standing, isDomestic: Bool,
        address: String
    ) -> Agent {
        Agent(
            domain: domain, address: address, userAgent: nil, authority: self, originIsOwn: true,
            state: Agent.State(
                standing: standing, user: user, client: client, record: nil, isDomestic: isDomestic, cookies: []))
    }
}
