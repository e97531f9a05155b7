internal import Metrics

/// What became of renewals, and of tokens that they replaced (docs/operations.md).
struct RenewalMetrics: Sendable {
    let renewed = Self.counter("renewed")
    let stale = Self.counter("stale")
    let revoked = Self.counter("revoked")
    let underivable = Self.counter("underivable")
    let failed = Self.counter("failed")
    let superseded = Counter(label: "submergence_session_superseded_total")

    private static func counter(_ outcome: String) -> Counter {
        Counter(label: "submergence_session_renewals_total", dimensions: [("outcome", outcome)])
    }
}
