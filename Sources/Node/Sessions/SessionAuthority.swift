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

        package init(
            domain: String, source: ProxyTrust.Source, origin: DomainTable.OriginStanding, socketProof: String? = nil
        ) {
            self.domain = domain
            self.source = source
            self.origin = origin
            self.socketProof = socketProof
        }
    }

    /// A read that an invalidation spoils is made again, this often; then the store is called busy.
    private static let rereads = 5

    let cache: SessionCache
    private let store: any SessionStore
    let machine: SessionMachine
    private let cookies: SessionCookies
    private let domestic: DomesticToken
    private let revocation: Revocation
    let now: @Sendable () -> Int64
    private let submit: @Sendable (@escaping @Sendable () async -> Void) -> Bool
    private let logger: Logger
    private let superseded = Counter(label: "submergence_session_superseded_total")
    private let proofs = ProofMetrics()
    private let malformed = Counter(label: "submergence_session_cookies_malformed_total")

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - submit: runs short work in the background, in a bounded pool; false: it will not run.
    package init(
        store: any SessionStore, cache: SessionCache, keys: SigningKeys, options: SessionOptions,
        revocation: Revocation,
        now: @escaping @Sendable () -> Int64,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool,
        logger: Logger
    ) {
        self.store = store
        self.cache = cache
        self.machine = SessionMachine(options)
        self.cookies = SessionCookies(options)
        self.domestic = DomesticToken(keys: keys)
        self.revocation = revocation
        self.now = now
        self.submit = submit
        self.logger = logger
    }

    /// The agent of a request. A guest costs no read unless a well-formed cookie came with it (ID-1).
    package func agent(_ headers: some HeaderView, _ presented: Presented) async throws(StoreError) -> Agent {
        let record = try await self.record(headers, in: presented.domain)
        var standing = Agent.Standing.guest
        switch self.machine.state(of: record, in: presented.domain, at: self.now()) {
        case .guest(.superseded):
            self.superseded.increment()
            self.logger.warning(
                "a replaced session was presented after its grace",
                metadata: [
                    "domain": "\(presented.domain)", "address": "\(presented.source.address)",
                    "session": "\(Self.mark(record))",
                ])
        case .guest: break
        case .idle: standing = .idle
        case .active: standing = .active
        }
        let known = standing == .guest ? nil : record
        if let known, standing == .active { self.noteActivity(of: known) }
        let proof = headers.values("x-domestic").first ?? presented.socketProof
        let originIsOwn = presented.origin != .foreign
        let isDomestic = known.map { record in proof.map { self.proves($0, record, originIsOwn) } ?? false } ?? false
        return Agent(
            domain: presented.domain, address: presented.source.address, userAgent: headers.single("user-agent"),
            authority: self, originIsOwn: originIsOwn,
            state: Agent.State(
                standing: standing, user: known?.user, client: known?.client, record: known, isDomestic: isDomestic,
                cookies: []))
    }

    /// The present standing of a session that a live connection is bound to, through the cache.
    package func state(of hash: [UInt8], in domain: String) async throws(StoreError) -> SessionMachine.State {
        self.machine.state(of: try await self.find(hash, in: domain), in: domain, at: self.now())
    }

    /// When the authority of a session ends for good (ID-16), in milliseconds since 1970; nil: never.
    package func loginEnd(of record: SessionRecord) -> Int64? {
        self.machine.loginLifespan > 0 ? record.login + self.machine.loginLifespan : nil
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

    /// Whether the token proves same-origin access (SPEC ID-5); what does not is counted.
    func proves(_ token: String, _ record: SessionRecord, _ originIsOwn: Bool) -> Bool {
        self.proofs.judge(
            isRight: self.domestic.isRight(token, domain: record.domain, chain: record.chain), originIsOwn: originIsOwn)
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
            try await self.revocation.revoke(
                old.hash,
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
            try await self.revocation.revoke(
                old.hash,
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
        let secret = SessionSecret.random()
        let now = self.now()
        let record = SessionRecord(
            hash: secret.hash, domain: domain, user: user, client: client, now: now, isRemembered: isRemembered,
            expires: self.machine.expiry(isRemembered: isRemembered, at: now))
        return (record, secret)
    }

    private func cookies(for record: SessionRecord, _ secret: SessionSecret) -> [SetCookie] {
        self.cookies.login(
            secret, domesticToken: self.domestic.text(domain: record.domain, chain: record.chain),
            isRemembered: record.isRemembered)
    }

    private func insert(_ record: SessionRecord) async throws(SessionError) {
        do {
            try await self.store.insert(record)
        } catch {
            throw .unavailable(error.description)
        }
    }

    // MARK: Reading

    private func record(_ headers: some HeaderView, in domain: String) async throws(StoreError) -> SessionRecord? {
        switch CookieHeader(headers).lookup(self.cookies.session) {
        case .absent: return nil
        case .ambiguous:
            self.malformed.increment()
            return nil
        case .value(let text):
            guard let secret = SessionSecret(text) else {
                self.malformed.increment()
                return nil
            }
            return try await self.find(secret.hash, in: domain)
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

    /// Enough of a hash to find it in a log.
    private static func mark(_ record: SessionRecord?) -> String {
        Base64URLText.encode((record?.hash ?? []).prefix(6))
    }
}
