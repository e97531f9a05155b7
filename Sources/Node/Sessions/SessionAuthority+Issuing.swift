import Routing

extension SessionAuthority {
    /// Logs somebody in on the word of the application's backend (SPEC RM-1): a chain of sessions of its own, beside those
    /// that the client may have.
    /// - Throws: ``SessionError/identityInvalid`` or ``SessionError/unavailable(_:)``.
    func issue(
        user: String, client: String, domain: String, isRemembered: Bool
    ) async throws(SessionError) -> SessionAnswer {
        guard Identifier.isValid(user), Identifier.isValid(client) else { throw .identityInvalid }
        let (record, secret) = self.firstRecord(user: user, client: client, in: domain, isRemembered: isRemembered)
        try await self.insert(record)
        let end = self.warrant(of: record).end
        return SessionAnswer(
            cookies: self.cookies(for: record, secret).map(\.text), token: secret.text,
            loginEnds: end == .max ? nil : end)
    }
}
