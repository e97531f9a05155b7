internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Metrics
internal import NIOCore
internal import Synchronization

/// `/dashboard/` on the control listener: its pages, and who is signed in (DESIGN §7). What the page shows and does goes through
/// the control API, like everybody else's requests.
struct Dashboard: Sendable {
    /// How requests that change something repeat ``DashboardSession/csrf``.
    static let csrfField = "x-submergence-csrf"
    /// Bytes of the sign-in form.
    static let formLimit = 4_096

    private let keyring: ControlKeyring
    private let access: ControlAccess
    private let sessions: DashboardSessions
    private let audit: AuditLog
    private let domains: [String]
    private let pages = DashboardPages()
    private let attempts: Attempts
    private let metrics = DashboardMetrics()

    private final class Attempts: Sendable {
        let table: Mutex<SignInAttempts>

        init(_ limits: SignInAttempts.Limits) { self.table = Mutex(SignInAttempts(limits: limits)) }
    }

    /// - Parameter domains: that are served here.
    init(
        keyring: ControlKeyring, access: ControlAccess, sessions: DashboardSessions, audit: AuditLog,
        domains: [String], attempts: SignInAttempts.Limits = .init()
    ) {
        self.keyring = keyring
        self.access = access
        self.sessions = sessions
        self.audit = audit
        self.domains = domains
        self.attempts = Attempts(attempts)
    }

    // MARK: Who it is

    /// The agent of an API request that the page has made; nil where the request has no session.
    /// - Throws: 403 for a page of another origin, and where the page does not prove itself; 401 for a session that is over.
    func agent(_ head: HTTPRequest, _ source: ProxyTrust.Source) throws(ActionError) -> Agent? {
        guard self.keyring.asksForKeys, let secret = self.secret(head, source) else { return nil }
        let isReading = head.method == .get || head.method == .head
        let isOwn =
            isReading
            ? OriginCheck.isOwn(head, isSecure: source.isSecure)
            : OriginCheck.isProven(head, isSecure: source.isSecure)
        guard isOwn else { throw ActionError(403, "FOREIGN") }
        let (agent, csrf) = try self.access.agent(session: secret, address: source.address)
        guard isReading || Self.isEqual(head.single(Self.csrfField) ?? "", csrf) else { throw ActionError(403, "CSRF") }
        return agent
    }

    /// Cookies do not tell ports apart, so that nodes of one machine would take each other's.
    private func cookieName(_ head: HTTPRequest, _ source: ProxyTrust.Source) -> String {
        let port = head.single("host").flatMap { HostName($0) }?.port ?? (source.isSecure ? 443 : 80)
        return (source.isSecure ? "__Host-" : "") + "submergence-dashboard-\(port)"
    }

    private func secret(_ head: HTTPRequest, _ source: ProxyTrust.Source) -> String? {
        guard case .value(let secret) = CookieHeader(head).lookup(self.cookieName(head, source)) else { return nil }
        return secret
    }

    private static func isEqual(_ left: String, _ right: String) -> Bool {
        guard left.utf8.count == right.utf8.count else { return false }
        return zip(left.utf8, right.utf8).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }

    // MARK: Requests

    /// - Parameter path: without query.
    /// - Returns: nil for a path that is not the dashboard's.
    func answer(
        _ request: Request, _ path: String, _ source: ProxyTrust.Source, _ body: RequestBodyReader?
    ) async -> Response? {
        switch (path, request.method) {
        case ("/dashboard/session", .post): return await self.signIn(request, source, body)
        case ("/dashboard/session", .get), ("/dashboard/session", .head): return self.account(request.head, source)
        case ("/dashboard/sign-out", .post): return self.signOut(request.head, source)
        default:
            let isSignedIn = !self.keyring.asksForKeys || self.isKnown(request.head, source)
            return self.pages.response(request.method, path, request.head, isSignedIn: isSignedIn)
        }
    }

    private func isKnown(_ head: HTTPRequest, _ source: ProxyTrust.Source) -> Bool {
        guard let secret = self.secret(head, source) else { return false }
        return (try? self.access.agent(session: secret, address: source.address)) != nil
    }

    private func signIn(_ request: Request, _ source: ProxyTrust.Source, _ body: RequestBodyReader?) async -> Response {
        guard self.keyring.asksForKeys else { return Self.seeOther }
        guard OriginCheck.isProven(request.head, isSecure: source.isSecure) else {
            return self.refuse(.foreign, .foreign, .forbidden)
        }
        let wait = self.attempts.table.withLock { $0.wait(source.address, at: .now()) }
        if let wait {
            let seconds = Int((wait.nanoseconds + 999_999_999) / 1_000_000_000)
            var response = self.refuse(.limited, .tooMany(seconds), .tooManyRequests)
            response.headers[.retryAfter] = String(seconds)
            return response
        }
        guard let key = await self.key(request, body) else {
            self.attempts.table.withLock { $0.fail(source.address, at: .now()) }
            self.audit.note("signInRefused", nil, address: source.address)
            return self.refuse(.refused, self.keyring.isEmpty ? .noKeys : .wrongKey, .forbidden)
        }
        if let old = self.secret(request.head, source) { self.sessions.close(old) }
        let secret = self.sessions.open(key)
        self.metrics.count(.accepted)
        self.audit.note(
            "signIn",
            Agent(
                domain: key.domain ?? "", user: key.name, client: "dashboard", isDomestic: true, address: source.address
            ),
            domain: key.domain ?? "")
        var response = Self.seeOther
        response.headers[.setCookie] = self.cookie(request.head, source, secret).text
        return response
    }

    /// The key that the form names; nil for a form that cannot be read, or no key.
    private func key(_ request: Request, _ body: RequestBodyReader?) async -> ControlKey? {
        guard request.head.single("content-type")?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true,
            let body
        else { return nil }
        var reader = LimitedBody(.stream(body), limit: Self.formLimit)
        var bytes = ByteBuffer()
        do {
            while let piece = try await reader.next(.whole, { _ in }) { bytes.writeImmutableBuffer(piece) }
        } catch {
            return nil
        }
        guard let fields = PercentEncoding.fields(String(buffer: bytes)), let secret = fields["key"] else { return nil }
        return self.keyring.key(of: secret.filter { !$0.isWhitespace })
    }

    private func refuse(
        _ result: DashboardMetrics.Result, _ complaint: DashboardPages.Complaint, _ status: HTTPResponse.Status
    ) -> Response {
        self.metrics.count(result)
        return self.pages.signInPage(complaint, status: status)
    }

    private func signOut(_ head: HTTPRequest, _ source: ProxyTrust.Source) -> Response {
        do throws(ActionError) {
            guard let agent = try self.agent(head, source), let secret = self.secret(head, source) else {
                throw ActionError(401, "SESSION")
            }
            self.sessions.close(secret)
            self.audit.note("signOut", agent, domain: agent.domain)
            var response = Response(status: .noContent, headers: [.cacheControl: "no-store"])
            response.headers[.setCookie] = self.cookie(head, source, nil).text
            return response
        } catch {
            return Self.json(ActionAnswer(error).contentText, .init(code: error.status), hasBody: true)
        }
    }

    private func account(_ head: HTTPRequest, _ source: ProxyTrust.Source) -> Response {
        let hasBody = head.method == .get
        do throws(ActionError) {
            let account = try self.account(of: head, source)
            guard let text = ClusterInquiry.encode(account) else { preconditionFailure("an account is plain JSON") }
            return Self.json(text, .ok, hasBody: hasBody)
        } catch {
            return Self.json(ActionAnswer(error).contentText, .init(code: error.status), hasBody: hasBody)
        }
    }

    private func account(of head: HTTPRequest, _ source: ProxyTrust.Source) throws(ActionError) -> DashboardAccount {
        guard self.keyring.asksForKeys else {
            return DashboardAccount(
                isSignedIn: false, key: "development", domain: nil, domains: self.domains,
                scopes: ControlScope.allCases.map(\.rawValue), csrf: "", version: Version.text)
        }
        guard let agent = try self.agent(head, source), let secret = self.secret(head, source),
            let session = self.sessions.session(of: secret), let key = self.keyring.key(named: agent.user ?? "")
        else { throw ActionError(401, "SESSION") }
        return DashboardAccount(
            isSignedIn: true, key: key.name, domain: key.domain, domains: key.domain.map { [$0] } ?? self.domains,
            scopes: ControlScope.allCases.filter { key.scopes.contains($0) }.map(\.rawValue), csrf: session.csrf,
            version: Version.text)
    }

    /// - Parameter secret: nil: the cookie goes.
    private func cookie(_ head: HTTPRequest, _ source: ProxyTrust.Source, _ secret: String?) -> SetCookie {
        SetCookie(
            name: self.cookieName(head, source), value: secret ?? "gone", isSecure: source.isSecure, isHTTPOnly: true,
            sameSite: .strict, maxAge: secret == nil ? 0 : nil)
    }

    private static var seeOther: Response {
        Response(status: .seeOther, headers: [.location: DashboardPages.prefix, .cacheControl: "no-store"])
    }

    private static func json(_ text: ByteBuffer, _ status: HTTPResponse.Status, hasBody: Bool) -> Response {
        var fields: HTTPFields = [
            .contentType: "application/json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        guard hasBody else {
            fields[.contentLength] = String(text.readableBytes)
            return Response(status: status, headers: fields)
        }
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: text))
    }
}
