import Metrics

/// Traffic by configured domain (docs/operations.md). The label is one of these or `other`, so that there are only so many
/// series.
final class DomainMetrics: Sendable {
    private struct Handles: Sendable {
        let connections: Gauge
        let eventsIn: Counter
        let eventsOut: Counter
        let bytesIn: Counter
        let bytesOut: Counter
        let actions: Counter

        init(_ domain: String) {
            let dimensions = [("domain", domain)]
            self.connections = Gauge(label: "submergence_domain_connections", dimensions: dimensions)
            self.eventsIn = Counter(label: "submergence_domain_events_in_total", dimensions: dimensions)
            self.eventsOut = Counter(label: "submergence_domain_events_out_total", dimensions: dimensions)
            self.bytesIn = Counter(label: "submergence_domain_bytes_in_total", dimensions: dimensions)
            self.bytesOut = Counter(label: "submergence_domain_bytes_out_total", dimensions: dimensions)
            self.actions = Counter(label: "submergence_domain_actions_total", dimensions: dimensions)
        }
    }

    private let handles: [Handles]

    init(_ domains: DomainSlots) {
        self.handles = domains.names.map { Handles($0) }
    }

    /// - Parameters: totals, by the domain's number.
    func record(_ new: [DomainTraffic], since old: [DomainTraffic]) {
        for (slot, handles) in self.handles.enumerated() {
            let (new, old) = (new[slot], old[slot])
            handles.connections.record(new.connections)
            handles.eventsIn.increment(by: new.counts.eventsIn - old.counts.eventsIn)
            handles.eventsOut.increment(by: new.counts.eventsOut - old.counts.eventsOut)
            handles.bytesIn.increment(by: new.counts.bytesIn - old.counts.bytesIn)
            handles.bytesOut.increment(by: new.counts.bytesOut - old.counts.bytesOut)
            handles.actions.increment(by: new.counts.actions - old.counts.actions)
        }
    }
}
