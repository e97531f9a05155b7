internal import Metrics

/// What actions count besides their answers (docs/operations.md). Handles are made once.
final class ActionMetrics: Sendable {
    let failedStreams = Counter(label: "submergence_action_streams_failed_total")
    private let limits: [Limit: Counter]

    init() {
        let limits: [Limit] = [
            .body, .bodyFiles, .partHeader, .formFields, .formFiles, .formNames, .stallTime, .addressActions,
        ]
        self.limits = Dictionary(
            uniqueKeysWithValues: limits.map {
                ($0, Counter(label: "submergence_limits_hit_total", dimensions: [("limit", $0.rawValue)]))
            })
    }

    /// Somebody has met a limit.
    func hit(_ limit: Limit) { self.limits[limit]?.increment() }
}
