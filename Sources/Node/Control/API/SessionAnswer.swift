/// A session for somebody: as cookies for a browser, or as a token for a program.
struct SessionAnswer: Encodable, Sendable {
    /// Whole `Set-Cookie` values, for the application to pass on from the domain itself.
    let cookies: [String]
    /// For `Authorization: Bearer` and `auth.token`. It does not renew itself.
    let token: String
    /// Milliseconds since 1970 at which the login ends; nil: it does not.
    let loginEnds: Int64?
}
