/// Decides what the bearer of a control key may do (SPEC RM-1).
struct ControlAccess: Sendable {
    private let keyring: ControlKeyring
    private let sessions: DashboardSessions

    init(_ keyring: ControlKeyring, sessions: DashboardSessions) {
        self.keyring = keyring
        self.sessions = sessions
    }

    /// The agent of a request to the control API: its user is the key's name.
    /// - Parameter authorization: the header's values.
    func agent(authorization: [String], address: String) throws(ActionError) -> Agent {
        guard self.keyring.asksForKeys else {
            return Agent(domain: "", user: Self.developer, client: nil, isDomestic: true, address: address)
        }
        guard authorization.count == 1, let secret = Self.bearer(authorization[0]),
            let key = self.keyring.key(of: secret)
        else { throw ActionError(401, "KEY") }
        return Agent(domain: key.domain ?? "", user: key.name, client: nil, isDomestic: true, address: address)
    }

    /// The agent of a request that the dashboard makes for somebody who has signed in with a key: its client is the session.
    /// - Throws: 401 for a session that is over, or whose key is.
    func agent(session secret: String, address: String) throws(ActionError) -> (agent: Agent, csrf: String) {
        guard let session = self.sessions.session(of: secret), let key = self.key(of: session) else {
            throw ActionError(401, "SESSION")
        }
        let agent = Agent(
            domain: key.domain ?? "", user: key.name, client: session.label, isDomestic: true, address: address)
        return (agent, session.csrf)
    }

    /// nil for a key that has been revoked, or made anew under the same name.
    private func key(of session: DashboardSession) -> ControlKey? {
        guard let key = self.keyring.key(named: session.key), key.digest == session.keyDigest else { return nil }
        return key
    }

    /// - Parameter domain: canonical; nil where the request is about none.
    /// - Throws: 401 for a key that is no more, 403 `SCOPE` or `DOMAIN`.
    func check(_ agent: Agent, _ scope: ControlScope, domain: String? = nil) throws(ActionError) {
        guard self.keyring.asksForKeys else { return }
        guard let key = self.keyring.key(named: agent.user ?? "") else { throw ActionError(401, "KEY") }
        if let label = agent.client, !self.sessions.isAlive(label) { throw ActionError(401, "SESSION") }
        guard key.scopes.contains(scope) else {
            throw ActionError(403, "SCOPE", ["scope": .string(scope.rawValue)])
        }
        if let only = key.domain, let domain, only != domain { throw ActionError(403, "DOMAIN") }
    }

    private static let developer = "development"

    private static func bearer(_ text: String) -> String? {
        let parts = text.split(separator: " ")
        return parts.count == 2 && parts[0].lowercased() == "bearer" ? String(parts[1]) : nil
    }
}
