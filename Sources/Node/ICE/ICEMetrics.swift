internal import Metrics

/// The metrics of ICE servers (docs/operations.md).
final class ICEMetrics: Sendable {
    /// What became of an `ice` event.
    enum Outcome: String, CaseIterable, Sendable { case answered, invalid, forbidden, busy }

    let credentials = Counter(label: "submergence_turn_credentials_total")
    let failedReads = Counter(label: "submergence_turn_secret_reads_failed_total")
    private let requests: [Outcome: Counter]

    init() {
        self.requests = Dictionary(
            uniqueKeysWithValues: Outcome.allCases.map {
                ($0, Counter(label: "submergence_ice_requests_total", dimensions: [("outcome", $0.rawValue)]))
            })
    }

    func requested(_ outcome: Outcome) { self.requests[outcome]?.increment() }
}
