import Logging
import Metrics
import Routing

/// Runs the application's presence handlers, and the presence log, for each committed transition (SPEC LC-3, EV-7).
struct PresenceHandlers: Sendable {
    let handlers: [Presence.Change: [PresenceHandler]]
    let log: PresenceLog?
    let logger: Logger
    private let failed = Counter(label: "submergence_hooks_failed_total")
    private let counters: [Presence.Change: Counter] = Dictionary(
        uniqueKeysWithValues: Presence.Change.allCases.map {
            ($0, Counter(label: "submergence_presence_transitions_total", dimensions: [("change", $0.rawValue)]))
        })

    init(handlers: [Presence.Change: [PresenceHandler]], log: PresenceLog?, logger: Logger) {
        self.handlers = handlers
        self.log = log
        self.logger = logger
    }

    func run(_ key: RouteKey, _ transition: RouteTransition, on node: NodeID) async {
        let presence = Presence(
            change: Presence.Change(transition.kind), domain: key.domain, user: key.user, client: transition.client,
            sequence: transition.sequence)
        self.counters[presence.change]?.increment()
        if let log = self.log, !log.append(presence, node: node) {
            self.logger.error("the presence log cannot be written")
        }
        for handler in self.handlers[presence.change] ?? [] {
            do {
                try await handler(presence)
            } catch {
                self.failed.increment()
                self.logger.error(
                    "presence handler failed", metadata: ["change": "\(presence.change.rawValue)", "error": "\(error)"])
            }
        }
    }
}
