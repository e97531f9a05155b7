/// Lifetimes and limits of sessions (SPEC ID-7). Durations are in seconds.
public struct SessionOptions: Sendable, Equatable {
    /// Longest trust in a cached record without reading it again. Default 30 min.
    public var sessionCacheTimeout: Double
    /// Age at which a token is replaced without interrupting the login. Default 1 day.
    public var sessionLifespan: Double
    /// Longest inactivity after which replacement is still allowed. Default 3 days.
    public var sessionRenewalTimeout: Double
    /// Hard end since login; 0 disables it. Default 2 weeks.
    public var loginLifespan: Double
    /// Persistence of remembered cookies; the client is idle meanwhile. Default 1 year.
    public var cookieLifespan: Double
    /// Sessions kept in the cache of a node; 0 turns it off. Default 100,000.
    public var cacheSessions: Int
    /// Activity is written at most once in this time, per session (SPEC ID-8). Default 5 min.
    public var activityResolution: Double
    /// How long a replaced token stays good once its successor was presented (SPEC ID-9). Default 2 min.
    public var renewalGrace: Double
    /// How long a ticket of a socket's session change can be redeemed (SPEC ID-17). Default 1 min.
    public var ticketLifespan: Double
    /// Whether a replaced token that is presented after its grace ends the whole chain: somebody holds a copy, and nobody
    /// can tell who is the thief. A browser that was offline with an old cookie looks the same. Default false (SPEC ID-6).
    public var revokesSupersededChains: Bool
    /// How long a logout or login waits for its writes before it fails and goes on in the background (SPEC ID-13).
    /// Default 10 s.
    public var revocationTimeout: Double
    /// Cookies named `session` and `domestic`, without `Secure`: plain HTTP only (SPEC ID-3). Development sets it.
    public var insecureCookies: Bool
    /// `SameSite=None; Partitioned`, for pages embedded in other sites (SPEC ID-3). Default false.
    public var crossSiteCookies: Bool
    /// The query parameter `_domestic` counts as proof of domesticity (SPEC ID-4). Default true.
    public var acceptsDomesticQuery: Bool

    public init() {
        self.sessionCacheTimeout = 30 * 60
        self.sessionLifespan = 86_400
        self.sessionRenewalTimeout = 3 * 86_400
        self.loginLifespan = 14 * 86_400
        self.cookieLifespan = 365 * 86_400
        self.cacheSessions = 100_000
        self.activityResolution = 5 * 60
        self.renewalGrace = 2 * 60
        self.ticketLifespan = 60
        self.revokesSupersededChains = false
        self.revocationTimeout = 10
        self.insecureCookies = false
        self.crossSiteCookies = false
        self.acceptsDomesticQuery = true
    }

    /// What is wrong with the options, in words; nil when nothing is.
    package var complaint: String? {
        let durations = [
            ("sessionCacheTimeout", self.sessionCacheTimeout), ("sessionLifespan", self.sessionLifespan),
            ("sessionRenewalTimeout", self.sessionRenewalTimeout), ("cookieLifespan", self.cookieLifespan),
            ("activityResolution", self.activityResolution), ("revocationTimeout", self.revocationTimeout),
            ("ticketLifespan", self.ticketLifespan),
        ]
        for (name, value) in durations where !(value > 0 && value <= 10 * 365 * 86_400) {
            return "\(name) must be more than 0 and at most ten years"
        }
        if !(self.loginLifespan >= 0) { return "loginLifespan must not be negative" }
        if !(self.renewalGrace >= 0) { return "renewalGrace must not be negative" }
        if self.cacheSessions < 0 { return "cacheSessions must not be negative" }
        if self.insecureCookies && self.crossSiteCookies {
            return "crossSiteCookies needs Secure cookies, so it cannot go with insecureCookies"
        }
        return nil
    }
}
