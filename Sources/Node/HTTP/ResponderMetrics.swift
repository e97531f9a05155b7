internal import Metrics

/// Counts plain HTTP requests that are refused before anything is looked up for them.
struct ResponderMetrics: Sendable {
    enum Refusal: String, CaseIterable {
        /// No host, or no valid one.
        case host
        /// A host that is not served here: DNS rebinding, for one.
        case domain
        /// A foreign page, in development mode.
        case foreign
        /// A browser's question whether a page of another origin may do something.
        case preflight
        /// One client address asks for too much (SPEC AC-12).
        case rate
        /// The node drains.
        case leaving
    }

    private let refused: [Refusal: Counter] = Dictionary(
        uniqueKeysWithValues: Refusal.allCases.map {
            ($0, Counter(label: "submergence_http_requests_refused_total", dimensions: [("reason", $0.rawValue)]))
        })

    func refused(_ refusal: Refusal) { self.refused[refusal]?.increment() }
}
