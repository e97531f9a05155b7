internal import Metrics

/// What becomes of the outbox (docs/outbox.md).
struct PostingMetrics: Sendable {
    private let delivered = Counter(label: "submergence_outbox_delivered_total")
    private let incomplete = Counter(label: "submergence_outbox_incomplete_total")
    private let refused = PostingRefusal.Code.allCases.map { code in
        (code, Counter(label: "submergence_outbox_refused_total", dimensions: [("code", code.rawValue)]))
    }
    private let repeats = Counter(label: "submergence_outbox_repeats_total")
    private let adopted = Counter(label: "submergence_outbox_adopted_total")
    private let strays = Counter(label: "submergence_outbox_strays_total")
    private let gaps = Counter(label: "submergence_outbox_gaps_total")
    private let failures = Counter(label: "submergence_outbox_failures_total")
    private let lanes = Gauge(label: "submergence_outbox_lanes")
    private let inFlight = Gauge(label: "submergence_outbox_in_flight")
    private let waiting = Gauge(label: "submergence_outbox_waiting")
    private let oldest = Gauge(label: "submergence_outbox_oldest_seconds")

    func note(_ counts: PostingMachine.Counts, lanes: Int, inFlight: Int) {
        self.delivered.increment(by: counts.delivered)
        self.incomplete.increment(by: counts.incomplete)
        for (code, counter) in self.refused { counter.increment(by: counts.refused[code] ?? 0) }
        self.repeats.increment(by: counts.repeats)
        self.adopted.increment(by: counts.adopted)
        self.strays.increment(by: counts.strays)
        self.gaps.increment(by: counts.removed)
        self.lanes.record(lanes)
        self.inFlight.record(inFlight)
    }

    func failed() { self.failures.increment() }

    func measured(count: Int, age: Double) {
        self.waiting.record(count)
        self.oldest.record(age)
    }
}
