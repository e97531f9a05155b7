internal import Metrics

/// Sign-ins to the dashboard, by what became of them.
struct DashboardMetrics: Sendable {
    enum Result: String, CaseIterable {
        case accepted
        /// No such key.
        case refused
        /// Too many wrong keys of that address.
        case limited
        /// A page of another origin.
        case foreign
    }

    private let signIns: [Result: Counter] = Dictionary(
        uniqueKeysWithValues: Result.allCases.map {
            ($0, Counter(label: "submergence_dashboard_sign_ins_total", dimensions: [("result", $0.rawValue)]))
        })

    func count(_ result: Result) { self.signIns[result]?.increment() }
}
