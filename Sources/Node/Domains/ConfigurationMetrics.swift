internal import Metrics

/// What configurations of domains count (docs/operations.md). The domains are those that are configured: a closed set.
struct ConfigurationMetrics: Sendable {
    private let versions: [String: Gauge]
    let applied = Counter(label: "submergence_domain_configurations_applied_total")
    /// Readings of the database that gave nothing.
    let failedReads = Counter(label: "submergence_domain_configuration_reads_failed_total")
    /// Such that were read and cannot be applied here.
    let refused = Counter(label: "submergence_domain_configurations_refused_total")

    init(domains: some Sequence<String>) {
        self.versions = domains.reduce(into: [:]) { versions, domain in
            let gauge = Gauge(label: "submergence_domain_configuration_version", dimensions: [("domain", domain)])
            gauge.record(0)
            versions[domain] = gauge
        }
    }

    func note(_ version: Int64, of domain: String) { self.versions[domain]?.record(version) }
}
