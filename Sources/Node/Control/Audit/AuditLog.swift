import Logging
import Metrics
import Routing
import Synchronization

/// What control keys do on this node: a line of the logger `submergence.audit` each, and the newest ones for `GET /v1/audit`.
final class AuditLog: Sendable {
    let logger: Logger
    private let trail: Mutex<AuditTrail>
    private let entries = Counter(label: "submergence_control_audit_entries_total")

    /// - Parameter capacity: entries that are kept.
    init(capacity: Int, logger: Logger) {
        self.logger = logger
        self.trail = Mutex(AuditTrail(capacity: capacity))
    }

    /// - Parameters:
    ///   - agent: nil for somebody without a key.
    ///   - count: of events, how many times somebody was sent one.
    func note(
        _ action: String, _ agent: Agent?, address: String? = nil, domain: String = "", user: String? = nil,
        client: String? = nil, count: Int = 1
    ) {
        let entry = AuditEntry(
            time: SystemClusterClock().wallTime(), key: agent?.user ?? "", action: action, domain: domain, user: user,
            client: client, address: address ?? agent?.address ?? "", isByDashboard: agent?.client != nil,
            count: count)
        self.trail.withLock { $0.add(entry) }
        self.entries.increment()
        // Thousands a second are possible of these.
        self.logger.log(
            level: action == "event" ? .info : .notice, "control",
            metadata: [
                "key": "\(entry.key)", "action": "\(action)", "domain": "\(domain)", "user": "\(user ?? "*")",
                "client": "\(client ?? "*")", "address": "\(entry.address)", "count": "\(count)",
                "dashboard": "\(entry.isByDashboard)",
            ])
    }

    /// Newest first.
    func newest(_ query: AuditQuery, domain: String?) -> [AuditEntry] {
        self.trail.withLock { $0.newest(query.limit ?? AuditQuery.usual, domain: domain, key: query.key) }
    }
}
