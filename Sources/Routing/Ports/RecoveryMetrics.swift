internal import Metrics

/// What every recovery log counts.
package struct RecoveryMetrics: Sendable {
    private let appends = Counter(label: "submergence_recovery_appends_total")
    private let failures = Counter(label: "submergence_recovery_appends_failed_total")
    private let logged = Counter(label: "submergence_recovery_events_logged_total")
    private let holes = Counter(label: "submergence_recovery_holes_total")
    private let reads = Counter(label: "submergence_recovery_reads_total")
    private let failedReads = Counter(label: "submergence_recovery_reads_failed_total")
    private let incomplete = Counter(label: "submergence_recovery_reads_incomplete_total")
    private let replayed = Counter(label: "submergence_recovery_events_replayed_total")

    package init() {}

    package func appended(_ entries: [RecoveryEntry]) {
        self.appends.increment()
        let holes = entries.count { $0.content == .hole }
        self.logged.increment(by: entries.count - holes)
        self.holes.increment(by: holes)
    }

    package func appendFailed() { self.failures.increment() }

    package func read(_ history: RecoveryHistory) {
        self.reads.increment()
        if history.isComplete { self.replayed.increment(by: history.events.count) } else { self.incomplete.increment() }
    }

    package func readFailed() { self.failedReads.increment() }
}
