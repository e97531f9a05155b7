import Metrics

/// The metrics of sends that asked for a confirmation (SPEC EV-2).
struct ConfirmationMetrics: Sendable {
    private let outcomes: [Receipt.Confirmation.Outcome: Counter]
    private let silent = Counter(label: "submergence_send_confirmations_silent_total")

    init() {
        self.outcomes = Dictionary(
            uniqueKeysWithValues: Receipt.Confirmation.Outcome.allCases.map {
                ($0, Counter(label: "submergence_send_confirmations_total", dimensions: [("outcome", $0.rawValue)]))
            })
    }

    func note(_ confirmation: Receipt.Confirmation) {
        self.outcomes[confirmation.outcome]?.increment()
        if !confirmation.unknown.isEmpty { self.silent.increment(by: confirmation.unknown.count) }
    }
}
