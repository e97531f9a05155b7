/// What the dashboard's page is told of whoever looks at it (`GET /dashboard/session`).
struct DashboardAccount: Encodable, Sendable {
    /// Whether somebody has signed in; else no key is asked for (development mode).
    let isSignedIn: Bool
    /// The key's name.
    let key: String
    /// The only domain of the key; nil: all.
    let domain: String?
    /// The domains that are served here, or the one of the key.
    let domains: [String]
    let scopes: [String]
    /// For `X-Submergence-CSRF`; empty where nobody has signed in.
    let csrf: String
    let version: String
}
