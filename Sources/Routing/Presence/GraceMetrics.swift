internal import Metrics

/// What happened to graces (docs/operations.md, "Presence").
package struct GraceMetrics: Sendable {
    private let started = Counter(label: "submergence_presence_graces_started_total")
    private let returned = Self.ended(by: "return")
    private let expired = Self.ended(by: "owner")
    private let takenOver = Self.ended(by: "sweep")
    private let cut = Self.ended(by: "cut")
    private let unkept = Counter(label: "submergence_presence_graces_unkept_total")
    private let kept = Gauge(label: "submergence_presence_graces_kept")
    private let failedSweeps = Counter(label: "submergence_presence_sweeps_failed_total")

    package init() {}

    private static func ended(by cause: String) -> Counter {
        Counter(label: "submergence_presence_graces_ended_total", dimensions: [("by", cause)])
    }

    package func committed(_ changes: GraceChanges) {
        self.started.increment(by: changes.started)
        self.returned.increment(by: changes.returned)
        (changes.isOverdue ? self.takenOver : self.expired).increment(by: changes.expired)
        self.cut.increment(by: changes.cut)
    }

    /// There was no room to keep a deadline.
    func isUnkept() { self.unkept.increment() }

    func keeps(_ count: Int) { self.kept.record(count) }

    func sweepFailed() { self.failedSweeps.increment() }
}
