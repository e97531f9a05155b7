internal import Metrics

/// What webhooks count (docs/operations.md). The domains are those that are configured: a closed set.
final class WebhookMetrics: Sendable {
    private let results: [WebhookKind: [String: Counter]]
    private let times: [WebhookKind: Timer]
    let retries = Counter(label: "submergence_webhook_presence_retries_total")

    init() {
        self.results = Dictionary(
            uniqueKeysWithValues: WebhookKind.allCases.map { kind in
                (
                    kind,
                    Dictionary(
                        uniqueKeysWithValues: WebhookFailure.labels.map { label in
                            (
                                label,
                                Counter(
                                    label: "submergence_webhook_requests_total",
                                    dimensions: [("kind", kind.rawValue), ("result", label)])
                            )
                        })
                )
            })
        self.times = Dictionary(
            uniqueKeysWithValues: WebhookKind.allCases.map {
                ($0, Timer(label: "submergence_webhook_seconds", dimensions: [("kind", $0.rawValue)]))
            })
    }

    /// - Parameter failure: nil where it went well.
    func ended(_ kind: WebhookKind, _ failure: WebhookFailure?, after milliseconds: Int64) {
        self.results[kind]?[failure?.label ?? "ok"]?.increment()
        self.times[kind]?.recordMilliseconds(milliseconds)
    }

    /// What one domain's target counts; made with the target.
    final class OfTarget: Sendable {
        let waiting: Gauge
        let running: Gauge
        private let breaker: Gauge
        let opened: Counter
        let lost: Counter

        init(domain: String) {
            let dimensions = [("domain", domain)]
            self.waiting = Gauge(label: "submergence_webhook_waiting", dimensions: dimensions)
            self.running = Gauge(label: "submergence_webhook_running", dimensions: dimensions)
            self.breaker = Gauge(label: "submergence_webhook_breaker_open", dimensions: dimensions)
            self.opened = Counter(label: "submergence_webhook_breaker_opened_total", dimensions: dimensions)
            self.lost = Counter(label: "submergence_webhook_presence_lost_total", dimensions: dimensions)
            self.waiting.record(0)
            self.running.record(0)
            self.breaker.record(0)
        }

        /// 0 while it is closed, 1 while it is open, and between that while the probe is under way.
        func note(_ state: TargetBreaker.State) {
            switch state {
            case .closed: self.breaker.record(0)
            case .halfOpen: self.breaker.record(0.5)
            case .open: self.breaker.record(1)
            }
        }
    }
}
