package import Routing
internal import Synchronization

/// Who makes a request, as application code sees it (SPEC §1).
///
/// Changing the session shows at once in every property; the cookies for it go out with the reply.
public final class Agent: Sendable {
    public enum Standing: String, Sendable, Equatable {
        /// No usable session.
        case guest
        /// User and client are known but not logged in.
        case idle
        case active
    }

    struct State {
        var standing: Standing
        var user: String?
        var client: String?
        /// The stored session behind it; nil for a guest, and where the identity did not come from a session.
        var record: SessionRecord?
        var isDomestic: Bool
        /// The signing key of the domestic token that proved it.
        var domesticKey: [UInt8]?
        /// The cookie's secret, where its session is due for renewal.
        var due: SessionSecret?
        /// By name: a later change of the session replaces an earlier one's.
        var cookies: [SetCookie]
    }

    public let domain: String
    /// The client's address as far as trusted proxies tell it (SPEC TR-2).
    public let address: String
    public let userAgent: String?
    private let authority: SessionAuthority?
    /// Whether the request has no `Origin`, or that of its own host (SPEC ID-5).
    package let originIsOwn: Bool
    /// Called before the session changes; nil where nobody has to know.
    private let willChange: (@Sendable () -> Void)?
    private let state: Mutex<State>

    init(
        domain: String, address: String, userAgent: String?, authority: SessionAuthority?, originIsOwn: Bool,
        state: State, willChange: (@Sendable () -> Void)? = nil
    ) {
        self.domain = domain
        self.address = address
        self.userAgent = userAgent
        self.authority = authority
        self.originIsOwn = originIsOwn
        self.willChange = willChange
        self.state = Mutex(state)
    }

    /// An agent whose identity is believed, not read from a session: a development socket, or an action run in process.
    /// Without a user it is a guest.
    package convenience init(
        domain: String, user: String?, client: String?, isDomestic: Bool, address: String, userAgent: String? = nil
    ) {
        self.init(
            domain: domain, address: address, userAgent: userAgent, authority: nil, originIsOwn: false,
            state: State(
                standing: user == nil ? .guest : .active, user: user, client: client, record: nil,
                isDomestic: isDomestic, cookies: []))
    }

    public var standing: Standing { self.state.withLock(\.standing) }
    public var isGuest: Bool { self.standing == .guest }
    public var isIdle: Bool { self.standing == .idle }
    public var isActive: Bool { self.standing == .active }
    /// nil for a guest.
    public var user: String? { self.state.withLock(\.user) }
    /// nil for a guest.
    public var client: String? { self.state.withLock(\.client) }
    /// Whether the request proved same-origin script access to the domain (SPEC ID-4, ID-5).
    public var isDomestic: Bool { self.state.withLock(\.isDomestic) }

    /// Logs in: always a new chain of sessions; the presented session ends on every node (SPEC ID-10).
    ///
    /// - Parameters:
    ///   - user: nil: that of the present session, which may be idle.
    ///   - client: nil: that of the present session.
    ///   - rememberMe: whether the cookies outlive the browser; nil: as in the present session, else not.
    ///   - fromForeignOrigin: whether another site's page may do this. The default, false, is what keeps such a page from
    ///     logging its visitor in as somebody else; an identity provider that answers by a form of its own needs true, and
    ///     a check by the application that the visitor has asked for it.
    /// - Throws: ``SessionError``.
    public func setActive(
        user: String? = nil, client: String? = nil, rememberMe: Bool? = nil, fromForeignOrigin: Bool = false
    ) async throws(SessionError) {
        guard let authority = self.authority else { throw .detached }
        guard self.originIsOwn || fromForeignOrigin else { throw .foreignOrigin }
        self.willChange?()
        try await authority.setActive(self, user: user, client: client, rememberMe: rememberMe)
    }

    /// Ends every session of the (user, client) and leaves one that is known but not logged in (SPEC ID-11). Other
    /// clients are untouched.
    ///
    /// - Throws: ``SessionError``.
    public func setIdle(user: String? = nil, client: String? = nil, rememberMe: Bool? = nil) async throws(SessionError)
    {
        guard let authority = self.authority else { throw .detached }
        self.willChange?()
        try await authority.setIdle(self, user: user, client: client, rememberMe: rememberMe)
    }

    /// Ends all sessions of the user, or only those of one client, on every node (SPEC ID-12). The agent becomes a
    /// guest, or idle if its session was remembered; another client's logout leaves it as it is.
    ///
    /// - Throws: ``SessionError``.
    public func logout(client: String? = nil) async throws(SessionError) {
        guard let authority = self.authority else { throw .detached }
        self.willChange?()
        try await authority.logout(self, client: client)
    }

    // MARK: For the node

    /// The session that a live connection is bound to; nil where the identity was believed.
    package var session: SessionRecord? { self.state.withLock(\.record) }

    package var domesticKey: [UInt8]? { self.state.withLock(\.domesticKey) }

    /// `Set-Cookie` fields that the reply owes.
    package var cookies: [SetCookie] { self.state.withLock(\.cookies) }

    /// Replaces the session's token if it has reached its age (SPEC ID-9): the reply then owes new cookies. For transports
    /// that can set them. A session that ended meanwhile shows at once; a store that fails changes nothing.
    package func renewIfDue() async {
        await self.authority?.renewIfDue(self)
    }

    /// A proof that arrived in the body or query, where no header named one (SPEC ID-4).
    package func proveDomestic(_ token: String) {
        guard let authority = self.authority, let record = self.session,
            let key = authority.proof(token, record, self.originIsOwn)
        else { return }
        self.state.withLock { ($0.isDomestic, $0.domesticKey) = (true, key) }
    }

    /// Cookies that the reply owes beside those of the agent's own changes, and in place of equally named ones.
    package func owe(_ cookies: [SetCookie]) {
        let names = Set(cookies.map(\.name))
        self.state.withLock { state in
            state.cookies = state.cookies.filter { !names.contains($0.name) } + cookies
        }
    }

    func snapshot() -> State { self.state.withLock { $0 } }

    func become(_ standing: Standing, record: SessionRecord?, cookies: [SetCookie]) {
        self.state.withLock { state in
            state.standing = standing
            state.user = record?.user
            state.client = record?.client
            state.record = record
            state.due = nil
            if record == nil { (state.isDomestic, state.domesticKey) = (false, nil) }
            let names = Set(cookies.map(\.name))
            state.cookies = state.cookies.filter { !names.contains($0.name) } + cookies
        }
    }
}
