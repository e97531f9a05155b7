package import Logging
internal import Metrics
package import Routing

/// Finds out who makes a request, and changes sessions (SPEC §3). One per node; its clock is the server time of ID-6.
package final class SessionAuthority: Sendable {
    /// The facts of a request that decide its agent.
    package struct Presented: Sendable {
        package let domain: String
        package let source: ProxyTrust.Source
        package let origin: DomainTable.OriginStanding
        /// The `domestic` field of a socket's CONNECT payload, where the request opens a socket (ID-4).
        package let socketProof: String?
        /// A session's secret that came as a token, not as a cookie (SPEC RM-1). No browser adds it by itself, so that it
        /// proves domesticity, too, unless a foreign page sends it.
        package let bearer: String?

        package init(
            domain: String, source: ProxyTrust.Source, origin: DomainTable.OriginStanding, socketProof: String? = nil,
            bearer: String? = nil
        ) {
            self.domain = domain
            self.source = source
            self.origin = origin
            self.socketProof = socketProof
            self.bearer = bearer
        }
    }

    /// A read that an invalidation spoils is made again, this often; then the store is called busy.
    private static let rereads = 5
    private static let longestWalk = 16

    let cache: SessionCache
    let store: any SessionStore
    let machine: SessionMachine
    private let cookies: SessionCookies
    let keys: SigningKeyring
    let revocation: Revocation
    let now: @Sendable () -> Int64
    let submit: @Sendable (@escaping @Sendable () async -> Void) -> Bool
    let logger: Logger
    let renewals = RenewalMetrics()
    let revokesSupersededChains: Bool
    private let proofs = ProofMetrics()
    private let malformed = Counter(label: "submergence_session_cookies_malformed_total")

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - submit: runs short work in the background, in a bounded pool; false: it will not run.
    package init(
        store: any SessionStore, cache: SessionCache, keys: SigningKeyring, options: SessionOptions,
        revocation: Revocation,
        now: @escaping @Sendable () -> Int64,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool,
        logger: Logger
    ) {
        self.store = store
        self.cache = cache
        self.machine = SessionMachine(options)
        self.cookies = SessionCookies(options)
        self.keys = keys
        self.revokesSupersededChains = options.revokesSupersededChains
        self.revocation = revocation
        self.now = now
        self.submit = submit
        self.logger = logger
    }

    /// The agent of a request. A guest costs no read unless a well-formed cookie came with it (ID-1).
    package func agent(_ headers: some HeaderView, _ presented: Presented) async throws(StoreError) -> Agent {
        let (record, secret) = try await self.record(headers, presented)
        var standing = Agent.Standing.guest
        var due: SessionSecret?
        switch self.machine.state(of: record, in: presented.domain, at: self.now()) {
        case .guest(.superseded): self.noteSuperseded(record, address: presented.source.address)
        case .guest: break
        case .idle: standing = .idle
        case .active(let isDue):
            standing = .active
            // Whoever has it as a token gets no cookies: it ends with its time.
            if isDue, presented.bearer == nil { due = secret }
        }
        let known = standing == .guest ? nil : record
        if let known, standing == .active {
            self.noteActivity(of: known)
            self.notePresented(known)
        }
        let proof = headers.values("x-domestic").first ?? presented.socketProof
        let originIsOwn = presented.origin != .foreign
        let key = known.flatMap { record in proof.flatMap { self.proof($0, record, originIsOwn) } }
        let isDomestic = key != nil || (known != nil && presented.bearer != nil && originIsOwn)
        return Agent(
            domain: presented.domain, address: presented.source.address, userAgent: headers.single("user-agent"),
            authority: self, originIsOwn: originIsOwn,
            state: Agent.State(
                standing: standing, user: known?.user, client: known?.client, record: known, isDomestic: isDomestic,
                domesticKey: key, due: due, cookies: []))
    }

    /// Whether the session that a live connection is bound to still holds it, through the cache (ID-13, ID-16).
    package func holdsSockets(_ hash: [UInt8], in domain: String) async throws(StoreError) -> Bool {
        self.machine.holdsSockets(try await self.find(hash, in: domain), in: domain, at: self.now())
    }

    /// What holds an open socket that the session of `hash` has opened: the newest of its successors that was presented, as
    /// the browser has that one now (ID-9, ID-16). The open connection is activity of it (ID-8).
    /// - Returns: nil when nothing does.
    func hold(of hash: [UInt8], in domain: String) async throws(StoreError) -> SessionHold? {
        let now = self.now()
        guard var record = try await self.find(hash, in: domain), self.machine.holdsSockets(record, in: domain, at: now)
        else { return nil }
        // A socket looks every few minutes, a token is renewed once a day: one step, mostly.
        for _ in 0..<Self.longestWalk {
            guard let next = record.successor, let successor = try await self.find(next, in: domain),
                self.machine.holdsSockets(successor, in: domain, at: now)
            else { break }
            record = successor
        }
        self.noteActivity(of: record)
        return SessionHold(session: .init(hash: record.hash, chain: record.chain), warrant: self.warrant(of: record))
    }

    /// When a socket of this session is asked to renew it, and when it ends (ID-16).
    func warrant(of record: SessionRecord) -> Warrant {
        Warrant(
            ask: record.created + self.machine.lifespan,
            end: self.machine.loginLifespan > 0 ? record.login + self.machine.loginLifespan : .max)
    }

    /// Notes activity of a session, an action or an open connection (ID-8). Written in the background, at most once per
    /// resolution; a failure costs nothing but the note.
    package func noteActivity(of record: SessionRecord) {
        let now = self.now()
        guard self.cache.claimTouch(record, at: now) else { return }
        let isAccepted = self.submit {
            do {
                try await self.store.touch(record.hash, activity: now)
            } catch {
                self.logger.warning("activity was not written", metadata: ["error": "\(error)"])
            }
        }
        if !isAccepted { self.logger.warning("activity was not written", metadata: ["error": "the work pool is full"]) }
    }

    /// The ID of the signing key of a token that proves same-origin access (SPEC ID-5); what does not is counted.
    func proof(_ token: String, _ record: SessionRecord, _ originIsOwn: Bool) -> [UInt8]? {
        let key = DomesticToken(keys: self.keys.current).key(of: token, domain: record.domain, chain: record.chain)
        return self.proofs.judge(isRight: key != nil, originIsOwn: originIsOwn) ? key : nil
    }

    // MARK: Changes

    func setActive(
        _ agent: Agent, user: String?, client: String?, rememberMe: Bool?
    ) async throws(SessionError) {
        let before = agent.snapshot()
        let (record, secret) = try self.successor(of: before, in: agent.domain, user, client, rememberMe)
        try await self.insert(record)
        if let old = before.record, old.isValid {
            let isSame = old.user == record.user && old.client == record.client
            try await self.revocation.revokeChain(
                Invalidation(
                    domain: old.domain, user: old.user, client: old.client, reason: .session, chain: old.chain,
                    successor: isSame ? record.hash : nil))
        }
        agent.become(.active, record: record, cookies: self.cookies(for: record, secret))
    }

    func setIdle(
        _ agent: Agent, user: String?, client: String?, rememberMe: Bool?
    ) async throws(SessionError) {
        let before = agent.snapshot()
        var (record, secret) = try self.successor(of: before, in: agent.domain, user, client, rememberMe)
        record.isValid = false
        record.reason = "idle"
        if let old = before.record, old.user != record.user || old.client != record.client {
            try await self.revocation.revokeChain(
                Invalidation(
                    domain: old.domain, user: old.user, client: old.client, reason: .session, chain: old.chain))
        }
        try await self.revocation.revokeAll(
            Invalidation(domain: record.domain, user: record.user, client: record.client, reason: .session))
        try await self.insert(record)
        try await self.revocation.kick(
            Kick(domain: record.domain, user: record.user, client: record.client, reason: .session))
        agent.become(.idle, record: record, cookies: self.cookies(for: record, secret))
    }

    func logout(_ agent: Agent, client: String?) async throws(SessionError) {
        let before = agent.snapshot()
        if let client, !Identifier.isValid(client) { throw .identityInvalid }
        guard var record = before.record else {
            return agent.become(.guest, record: nil, cookies: self.cookies.logout(isRemembered: false))
        }
        try await self.revocation.revokeAll(
            Invalidation(domain: record.domain, user: record.user, client: client, reason: .logout))
        guard client == nil || client == record.client else { return }
        record.isValid = false
        record.reason = "logout"
        let cookies = self.cookies.logout(isRemembered: record.isRemembered)
        if record.isRemembered {
            agent.become(.idle, record: record, cookies: cookies)
        } else {
            agent.become(.guest, record: nil, cookies: cookies)
        }
    }

    /// The first record of a new chain.
    private func successor(
        of before: Agent.State, in domain: String, _ user: String?, _ client: String?, _ rememberMe: Bool?
    ) throws(SessionError) -> (SessionRecord, SessionSecret) {
        guard let user = user ?? before.user, let client = client ?? before.client else { throw .identityMissing }
        guard Identifier.isValid(user), Identifier.isValid(client) else { throw .identityInvalid }
        let isRemembered = rememberMe ?? before.record?.isRemembered ?? false
        return self.firstRecord(user: user, client: client, in: domain, isRemembered: isRemembered)
    }

    func firstRecord(
        user: String, client: String, in domain: String, isRemembered: Bool
    ) -> (SessionRecord, SessionSecret) {
        let secret = SessionSecret.random()
        let now = self.now()
        let record = SessionRecord(
            hash: secret.hash, domain: domain, user: user, client: client, now: now, isRemembered: isRemembered,
            expires: self.machine.expiry(isRemembered: isRemembered, login: now, at: now))
        return (record, secret)
    }

    func cookies(for record: SessionRecord, _ secret: SessionSecret) -> [SetCookie] {
        let token = DomesticToken(keys: self.keys.current).text(domain: record.domain, chain: record.chain)
        return self.cookies.login(secret, domesticToken: token, isRemembered: record.isRemembered)
    }

    func insert(_ record: SessionRecord) async throws(SessionError) {
        do {
            try await self.store.insert(record)
        } catch {
            throw .unavailable(error.description)
        }
    }

    // MARK: Reading

    private func record(
        _ headers: some HeaderView, _ presented: Presented
    ) async throws(StoreError) -> (SessionRecord?, SessionSecret?) {
        if let text = presented.bearer {
            guard let secret = SessionSecret(text) else { return (nil, nil) }
            return (try await self.find(secret.hash, in: presented.domain), secret)
        }
        switch CookieHeader(headers).lookup(self.cookies.session) {
        case .absent: return (nil, nil)
        case .ambiguous:
            self.malformed.increment()
            return (nil, nil)
        case .value(let text):
            guard let secret = SessionSecret(text) else {
                self.malformed.increment()
                return (nil, nil)
            }
            return (try await self.find(secret.hash, in: presented.domain), secret)
        }
    }

    func find(_ hash: [UInt8], in domain: String) async throws(StoreError) -> SessionRecord? {
        for _ in 0..<Self.rereads {
            switch self.cache.lookup(hash, in: domain, at: self.now()) {
            case .known(let record): return record
            case .read(let read):
                let record: SessionRecord?
                do {
                    record = try await self.store.find(hash)
                } catch {
                    self.cache.abandon(read)
                    throw error
                }
                if self.cache.finish(read, with: record, at: self.now()) { return record }
            }
        }
        throw StoreError(.busy, operation: "sessions.find", message: "invalidated again and again while it was read")
    }
}
