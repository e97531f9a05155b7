import Logging
import Metrics
import Routing

/// Runs the application's presence handlers, the domain's webhook and the presence log, for each committed transition (SPEC LC-3, EV-7).
struct PresenceHandlers: Sendable {
    let handlers: [Presence.Change: [PresenceHandler]]
    let webhooks: Webhooks
    let log: PresenceLog?
    let logger: Logger
    private let failed = Counter(label: "submergence_hooks_failed_total")
    private let counters: [Presence.Change: Counter] = Dictionary(
        uniqueKeysWithValues: Presence.Change.allCases.map {
            ($0, Counter(label: "submergence_presence_transitions_total", dimensions: [("change", $0.rawValue)]))
        })

    init(handlers: [Presence.Change: [PresenceHandler]], webhooks: Webhooks, log: PresenceLog?, logger: Logger) {
        self.handlers = handlers
        self.webhooks = webhooks
        self.log = log
        self.logger = logger
    }

    /// Milliseconds for all of it: a little less than what the emitter gives, behind which the next change of the same
    /// user may run (SPEC LC-3).
    private static let patience: Int64 = 9_500

    /// Whether anybody here wants to know of a user's presence.
    func isHeard(_ key: RouteKey) -> Bool {
        !self.handlers.isEmpty || self.log != nil || self.webhooks.has(.presence, in: key.domain)
    }

    /// Counts a change that nobody wants to know of.
    func count(_ transition: RouteTransition) {
        self.counters[Presence.Change(transition.kind)]?.increment()
    }

    func run(_ key: RouteKey, _ transition: RouteTransition, on node: NodeID) async {
        let deadline = self.webhooks.now + Self.patience
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
        await self.webhooks.deliver(presence, until: deadline)
    }
}
