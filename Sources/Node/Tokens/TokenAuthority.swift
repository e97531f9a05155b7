internal import Logging
internal import Metrics
internal import Routing

/// Takes tokens of the identity providers that the configuration names.
package final class TokenAuthority: Sendable {
    private struct Issuer: Sendable {
        let verifier: TokenVerifier
        let source: TokenKeySource
    }

    private let issuers: [String: [Issuer]]
    private let hook: TokenHook?
    private let now: @Sendable () -> Int64
    private let sleep: @Sendable (Duration) async throws -> Void
    private let logger: Logger
    private let accepted = Counter(label: "submergence_tokens_accepted_total")
    private let refused = Dictionary(
        uniqueKeysWithValues: TokenRefusal.allCases.map {
            ($0, Counter(label: "submergence_tokens_refused_total", dimensions: [("reason", $0.rawValue)]))
        })
    private let keyCount = Gauge(label: "submergence_token_keys")

    /// - Parameters:
    ///   - issuers: each with its canonical domain.
    ///   - now: server time, milliseconds since 1970.
    init(
        _ issuers: [(domain: String, issuer: TokenIssuer)], hook: TokenHook? = nil,
        reader: TokenKeyReader = TokenKeyReader(), now: @escaping @Sendable () -> Int64,
        monotonic: @escaping @Sendable () -> Int64 = { SystemClusterClock().now() / 1_000_000 },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }, logger: Logger
    ) {
        self.issuers = Dictionary(grouping: issuers, by: \.domain).mapValues { group in
            group.map { domain, issuer in
                Issuer(
                    verifier: TokenVerifier(issuer: issuer, domain: domain),
                    source: TokenKeySource(
                        issuer, read: { try await reader.read(issuer) }, now: monotonic, logger: logger))
            }
        }
        self.hook = hook
        self.now = now
        self.sleep = sleep
        self.logger = logger
    }

    /// Whether any token can be one of this domain: elsewhere a bearer header is the application's.
    func takes(_ domain: String) -> Bool { self.issuers[domain] != nil }

    /// Checks a token, and counts what became of it. The bearer learns no more than that it was refused.
    func verify(_ token: String, in domain: String) async throws(TokenRefusal) -> VerifiedToken {
        do throws(TokenRefusal) {
            let found = try await self.check(token, in: domain)
            self.accepted.increment()
            return found
        } catch {
            self.refused[error]?.increment()
            self.logger.debug("a token was refused", metadata: ["domain": "\(domain)", "reason": "\(error.rawValue)"])
            throw error
        }
    }

    private func check(_ token: String, in domain: String) async throws(TokenRefusal) -> VerifiedToken {
        guard let issuers = self.issuers[domain], let limit = issuers.map(\.verifier.issuer.maximumSize).max() else {
            throw .issuer
        }
        let parts = try TokenVerifier.parts(of: token, limit: limit)
        // Which of them is meant is the token's word until its signature has held; then it is the issuer's.
        guard let name = parts.claims["iss"]?.string,
            let issuer = issuers.first(where: { $0.verifier.issuer.issuer == name })
        else { throw .issuer }
        guard token.utf8.count <= issuer.verifier.issuer.maximumSize else { throw .tooLarge }
        let found = try await self.check(parts, issuer)
        guard let hook = self.hook else { return found }
        do {
            guard try await hook(found) else { throw TokenRefusal.hook }
        } catch let error as TokenRefusal {
            throw error
        } catch {
            self.logger.error("the token hook failed", metadata: ["error": "\(error)"])
            throw .hook
        }
        return found
    }

    private func check(
        _ parts: TokenVerifier.Parts, _ issuer: Issuer
    ) async throws(TokenRefusal) -> VerifiedToken {
        guard let keys = issuer.source.keys else {
            guard await issuer.source.look(), let keys = issuer.source.keys else { throw .unavailable }
            return try issuer.verifier.verify(parts, with: keys, at: self.now())
        }
        do throws(TokenRefusal) {
            return try issuer.verifier.verify(parts, with: keys, at: self.now())
        } catch {
            // Its issuer may have a newer key than we know.
            guard error == .unknownKey, await issuer.source.look(), let keys = issuer.source.keys else { throw error }
            return try issuer.verifier.verify(parts, with: keys, at: self.now())
        }
    }

    // MARK: Requests

    private enum Bearer {
        /// None, or none of ours.
        case absent
        /// Several, or several words: which one counts would depend on who reads it.
        case ambiguous
        case token(String)
    }

    private func bearer(_ headers: some HeaderView, in domain: String) -> Bearer {
        let values = headers.values("authorization")
        guard self.takes(domain), let first = values.first else { return .absent }
        guard values.count == 1 else { return .ambiguous }
        let parts = first.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.first?.lowercased() == "bearer" else { return .absent }
        guard parts.count == 2, !parts[1].contains(" ") else { return .ambiguous }
        return .token(String(parts[1]))
    }

    /// The agent of a request that carries a token; nil where it carries none. It is active, and has no session that could
    /// change: its identity is the issuer's to give and to end.
    ///
    /// - Throws: ``ActionError``: 401 for a token that is not taken. It does not make its bearer a guest: whoever sends one
    ///   means to be somebody.
    func agent(_ headers: some HeaderView, _ presented: SessionAuthority.Presented) async throws(ActionError) -> Agent?
    {
        let text: String
        switch self.bearer(headers, in: presented.domain) {
        case .absent: return nil
        case .ambiguous:
            self.refused[.malformed]?.increment()
            throw .token
        case .token(let found): text = found
        }
        do throws(TokenRefusal) {
            let token = try await self.verify(text, in: presented.domain)
            return Agent(
                domain: token.domain, user: token.user, client: token.client,
                isDomestic: presented.origin != .foreign, address: presented.source.address,
                userAgent: headers.single("user-agent"))
        } catch {
            throw error == .unavailable ? .unavailable : .token
        }
    }

    // MARK: Keys

    /// Reads all keys. A file must be readable at start; an address may come later.
    ///
    /// - Throws: ``StartError``.
    func start() async throws {
        for issuer in self.issuers.values.joined() {
            guard await !issuer.source.load() else { continue }
            if case .url = issuer.verifier.issuer.keys { continue }
            throw StartError(
                "cannot use the token keys of \(issuer.verifier.issuer.issuer)", why: "the log line above says it",
                remedy: "Name a JSON Web Key Set with keys for RS256, ES256, EdDSA or HS256.")
        }
        self.count()
    }

    /// Reads keys again when their time has come, until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do { try await self.sleep(.seconds(1)) } catch { return }
            for issuer in self.issuers.values.joined() where issuer.source.isDue { await issuer.source.load() }
            self.count()
        }
    }

    private func count() {
        self.keyCount.record(self.issuers.values.joined().reduce(0) { $0 + ($1.source.keys?.count ?? 0) })
    }
}
