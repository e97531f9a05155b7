import Metrics
import NIOCore
import Routing
import Wire

/// The bus's metrics; handles are made once. Labels come from closed sets.
struct BusMetrics: Sendable {
    private static let prefix = "submergence_bus_"

    let envelopesOut = Counter(label: prefix + "envelopes_out_total")
    let messagesOut = Counter(label: prefix + "messages_out_total")
    let bytesOut = Counter(label: prefix + "bytes_out_total")
    let envelopesIn = Counter(label: prefix + "envelopes_in_total")
    let messagesIn = Counter(label: prefix + "messages_in_total")
    let bytesIn = Counter(label: prefix + "bytes_in_total")
    /// One insert command, whatever it carried.
    let insertTime = Metrics.Timer(label: prefix + "insert_seconds")
    let insertFailures = Counter(label: prefix + "insert_failures_total")
    /// Publish to delivery, as the own probes find it (ND-10).
    let latency: [Metrics.Timer]
    let backlog = Gauge(label: prefix + "backlog_bytes")
    /// Acknowledged, and not known to be read (ND-7).
    let kept = Gauge(label: prefix + "kept_bytes")
    /// Of those, forgotten for lack of room.
    let keptEvictions = Counter(label: prefix + "kept_evictions_total")
    /// Of those, put into another home as theirs did not answer.
    let envelopesCopied = Counter(label: prefix + "envelopes_copied_total")
    let gaps = Counter(label: prefix + "gaps_total")
    /// Holes left by claimed senders: no call of theirs can have returned.
    let deadHoles = Counter(label: prefix + "dead_sender_holes_total")
    let reopens: [Counter]
    let historyLost = Counter(label: prefix + "history_lost_total")
    private let refusals: [InboxMachine.Refusal: Counter]
    private let tooOld = Counter(label: prefix + "drops_total", dimensions: [("reason", "old")])
    private let tooLate = Counter(label: prefix + "drops_total", dimensions: [("reason", "late")])
    let malformed = Counter(label: prefix + "drops_total", dimensions: [("reason", "malformed")])
    let unknownFormat = Counter(label: "submergence_unknown_format_total", dimensions: [("kind", "envelope")])
    let unknownKind = Counter(label: prefix + "drops_total", dimensions: [("reason", "kind")])
    private let unsentPerishable: [String: Counter]
    private let unsentLasting: [String: Counter]

    init(homes: Int) {
        self.latency = (0..<homes).map {
            Metrics.Timer(label: Self.prefix + "latency_seconds", dimensions: [("home", "\($0)")])
        }
        self.reopens = (0..<homes).map {
            Counter(label: Self.prefix + "tail_reopens_total", dimensions: [("home", "\($0)")])
        }
        var refusals: [InboxMachine.Refusal: Counter] = [:]
        for refusal in InboxMachine.Refusal.allCases {
            let label = refusal == .duplicate ? "duplicates_total" : "drops_total"
            refusals[refusal] = Counter(
                label: Self.prefix + label,
                dimensions: refusal == .duplicate ? [] : [("reason", refusal.rawValue)])
        }
        self.refusals = refusals
        var perishable: [String: Counter] = [:]
        var lasting: [String: Counter] = [:]
        for error in [PublishError.tooLarge, .backlog, .targetGone, .closed] {
            let reason = error.label
            perishable[reason] = Counter(label: Self.prefix + "unsent_dropped_total", dimensions: [("reason", reason)])
            lasting[reason] = Counter(label: Self.prefix + "unsent_failed_total", dimensions: [("reason", reason)])
        }
        self.unsentPerishable = perishable
        self.unsentLasting = lasting
    }

    func refused(_ refusal: InboxMachine.Refusal) { self.refusals[refusal]?.increment() }

    /// Messages that a scope kept out.
    func keptOut(_ count: Int, scope: InboxMachine.Scope) {
        switch scope {
        case .all: break
        case .lasting: self.tooOld.increment(by: count)
        case .late: self.tooLate.increment(by: count)
        }
    }

    /// A message that was not stored (ND-7: perishable ones are dropped, the others fail).
    func unsent(_ kind: BusMessage.Kind, _ error: PublishError) {
        (kind.isPerishable ? self.unsentPerishable : self.unsentLasting)[error.label]?.increment()
    }

    func tailMode(home: Int, mode: String) {
        for other in ["stream", "cursor"] {
            Gauge(label: Self.prefix + "tail_mode", dimensions: [("home", "\(home)"), ("mode", other)])
                .record(other == mode ? 1 : 0)
        }
    }
}

extension PublishError {
    fileprivate var label: String {
        switch self {
        case .tooLarge: "size"
        case .backlog: "backlog"
        case .targetGone: "target"
        case .closed: "closed"
        }
    }
}
