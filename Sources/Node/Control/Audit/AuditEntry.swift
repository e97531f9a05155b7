/// What somebody with a control key has done to whom. Never contents, never secrets.
struct AuditEntry: Codable, Sendable, Equatable {
    /// Milliseconds since 1970; of several events, the first one.
    var time: Int64
    /// The name of the key, or `development`; empty for who had none.
    var key: String
    /// `event`, `kick`, `logout`, `closeLinks`, `session`, `config`, `signIn`, `signOut` or `signInRefused`.
    var action: String
    var domain: String
    /// nil where it concerns nobody, or many.
    var user: String?
    /// nil: all devices.
    var client: String?
    /// Where the request came from.
    var address: String
    /// By the dashboard, and not by the key itself.
    var isByDashboard: Bool
    /// How many times: events of one key are counted together.
    var count: Int
}
