import NIOCore

/// The control API and its dashboard (docs/control-api.md, docs/dashboard.md).
public struct ControlOptions: Sendable, Equatable {
    /// Host names, beside those of loopback, that a control listener on loopback answers to: those by which a proxy with TLS
    /// reaches it. Only with control keys. Default none.
    public var names: [String]
    /// Requests a second of one control key, 1 to 1,000,000; then 429. 0: any number. Default 200.
    public var requestRate: Int
    /// Requests of one control key at once, 1 to 1,000,000. Default 1,000.
    public var requestBurst: Int
    /// Seconds that the answer to a request with an `Idempotency-Key` is kept, 60 to 604,800. Default a day.
    public var idempotencyWindow: Double
    /// Event streams that may be open at once, 1 to 10,000; then 503. Default 64.
    public var streams: Int
    /// Things that keys have done which a node keeps for `GET /v1/audit`, 1 to 100,000; the log has them all. Default 1,000.
    public var auditEntries: Int
    /// People signed in to the dashboard of a node at once, 1 to 10,000; then the one who has been idle longest is signed out.
    /// Default 200.
    public var dashboardSessions: Int
    /// Seconds after which somebody has to sign in to the dashboard again, 60 to 604,800. Default 8 hours.
    public var dashboardLifespan: Double
    /// The same without a request, 60 to 604,800; an open page is one. Default 30 minutes.
    public var dashboardIdle: Double

    public init(
        names: [String] = [], requestRate: Int = 200, requestBurst: Int = 1_000, idempotencyWindow: Double = 86_400,
        streams: Int = 64, auditEntries: Int = 1_000, dashboardSessions: Int = 200,
        dashboardLifespan: Double = 28_800, dashboardIdle: Double = 1_800
    ) {
        self.names = names
        self.requestRate = requestRate
        self.requestBurst = requestBurst
        self.idempotencyWindow = idempotencyWindow
        self.streams = streams
        self.auditEntries = auditEntries
        self.dashboardSessions = dashboardSessions
        self.dashboardLifespan = dashboardLifespan
        self.dashboardIdle = dashboardIdle
    }

    /// What is wrong with the options, in words; nil when nothing is.
    var complaint: String? {
        for name in self.names where HostName.configured(name) == nil { return "\(name) is no host name" }
        guard (0...1_000_000).contains(self.requestRate), (1...1_000_000).contains(self.requestBurst) else {
            return "requestRate must be 0 to 1,000,000, and requestBurst 1 to 1,000,000"
        }
        guard (60...604_800).contains(self.idempotencyWindow) else {
            return "idempotencyWindow must be 60 to 604,800 seconds"
        }
        guard (1...10_000).contains(self.streams) else { return "streams must be 1 to 10,000" }
        guard (1...100_000).contains(self.auditEntries) else { return "auditEntries must be 1 to 100,000" }
        guard (1...10_000).contains(self.dashboardSessions) else { return "dashboardSessions must be 1 to 10,000" }
        for seconds in [self.dashboardLifespan, self.dashboardIdle] where !(60...604_800).contains(seconds) {
            return "dashboardLifespan and dashboardIdle must be 60 to 604,800 seconds"
        }
        return nil
    }

    /// Canonical.
    var hostNames: Set<String> { Set(self.names.compactMap { HostName.configured($0) }) }

    var sessionLimits: DashboardSessionTable.Limits {
        DashboardSessionTable.Limits(
            sessions: self.dashboardSessions, lifespan: .milliseconds(Int64(self.dashboardLifespan * 1000)),
            idle: .milliseconds(Int64(self.dashboardIdle * 1000)))
    }
}
