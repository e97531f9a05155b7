import Metrics

/// The metrics of Links (docs/operations.md, "Links").
final class LinkMetrics: Sendable {
    let rosters = Counter(label: "submergence_link_rosters_total")
    let signals = Counter(label: "submergence_link_signals_total")
    let forwarded = Counter(label: "submergence_link_signals_forwarded_total")
    let excess = Counter(label: "submergence_link_members_excess_total")
    let swept = Counter(label: "submergence_link_swept_total")
    let failures = Counter(label: "submergence_link_failures_total")
    let cacheHits = Counter(label: "submergence_link_cache_total", dimensions: [("outcome", "hit")])
    let cacheMisses = Counter(label: "submergence_link_cache_total", dimensions: [("outcome", "miss")])
    let established = Counter(label: "submergence_link_opened_total")
    let opened = Counter(label: "submergence_link_requests_total", dimensions: [("outcome", "opened")])
    private let refused: [LinkError: Counter]
    private let errors: [LinkError: Counter]
    private let closed: [String: Counter]

    init() {
        func counters(_ label: String, _ name: String) -> [LinkError: Counter] {
            Dictionary(
                uniqueKeysWithValues: LinkError.allCases.map {
                    ($0, Counter(label: label, dimensions: [(name, $0.rawValue.lowercased())]))
                })
        }
        self.refused = counters("submergence_link_requests_total", "outcome")
        self.errors = counters("submergence_link_signal_errors_total", "code")
        self.closed = Dictionary(
            uniqueKeysWithValues: ["CLOSED", "OFFLINE", "LOGOUT", "KICK"].map {
                ($0, Counter(label: "submergence_link_closed_total", dimensions: [("reason", $0.lowercased())]))
            })
    }

    func refused(_ error: LinkError) { self.refused[error]?.increment() }
    func failed(_ error: LinkError) { self.errors[error]?.increment() }
    func closed(_ reason: String) { self.closed[reason]?.increment() }
}
