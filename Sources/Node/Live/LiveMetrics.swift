import Metrics
import Synchronization
import Wire

/// The metrics of live connections (docs/operations.md). Handles are made once; labels come from closed sets.
final class LiveMetrics: Sendable {
    private let slowHeads = Counter(label: "submergence_http_slow_heads_total")
    private let slowBodies = Counter(label: "submergence_http_slow_bodies_total")
    private let slowConsumers = Counter(label: "submergence_live_slow_consumers_total")
    let protocolErrors = Counter(label: "submergence_live_protocol_errors_total")
    let failedRemovals = Counter(label: "submergence_live_failed_removals_total")
    let upgrades = Counter(label: "submergence_engine_upgrades_total")
    let connected = Counter(label: "submergence_live_connects_total")
    let handlersRefused = Counter(label: "submergence_live_handlers_refused_total")
    let handlersFailed = Counter(label: "submergence_live_handlers_failed_total")
    let lateHandshakeHooks = Counter(label: "submergence_engine_allow_request_late_total")
    let compressedAnswers = Counter(label: "submergence_engine_answers_compressed_total")
    let deflateAgreed = Counter(label: "submergence_websocket_deflate_agreed_total")
    let hooksFailed = Counter(label: "submergence_hooks_failed_total")
    let acksRefused = Counter(label: "submergence_live_acks_refused_total")
    let acksTimedOut = Counter(label: "submergence_live_acks_timed_out_total")
    let unhandledServerSide = Counter(label: "submergence_live_server_side_unhandled_total")
    let namespaceRefusals = Counter(label: "submergence_live_namespace_refusals_total")
    private let volatileDropped = Counter(label: "submergence_live_volatile_dropped_total")
    private let coalesced = Counter(label: "submergence_live_coalesced_total")
    private let packetsIn = Counter(label: "submergence_live_packets_in_total")
    private let packetsOut = Counter(label: "submergence_live_packets_out_total")
    private let unhandled = Counter(label: "submergence_live_events_unhandled_total")
    private let opened: [String: Counter]
    private let closed: [CloseReason: Counter]
    private let left: [CloseReason: Counter]
    private let refusedTransport: [TransportRefusal: Counter]
    private let limits: [Limit: Counter]
    private let unattributed = Counter(label: "submergence_engine_handshakes_unattributed_total")
    private let foreign = Counter(label: "submergence_engine_handshakes_foreign_total")
    private let trackedAddresses = Gauge(label: "submergence_engine_addresses")
    private let refusedConnect: [ConnectErrorCode: Counter]
    private let violations: [WebSocketCloseCode: Counter]
    private let sessions = Gauge(label: "submergence_engine_sessions")
    private let sessionCount = Atomic<Int>(0)
    private let connections = Gauge(label: "submergence_live_connections")
    private let users = Gauge(label: "submergence_live_users")
    private let rooms = Gauge(label: "submergence_live_rooms")
    private let pendingConnects = Gauge(label: "submergence_live_pending_connects")
    private let closingPace = Gauge(label: "submergence_live_closing_pace")

    init() {
        func counters<Key: Hashable>(
            _ label: String, _ dimension: String, _ keys: [Key], _ name: (Key) -> String
        )
            -> [Key: Counter]
        {
            Dictionary(
                uniqueKeysWithValues: keys.map { ($0, Counter(label: label, dimensions: [(dimension, name($0))])) })
        }
        self.opened = counters("submergence_engine_sessions_opened_total", "transport", ["polling", "websocket"]) { $0 }
        self.closed = counters("submergence_engine_sessions_closed_total", "reason", CloseReason.allCases) { $0.text }
        self.left = counters("submergence_live_disconnects_total", "reason", CloseReason.allCases) { $0.text }
        self.violations = counters(
            "submergence_websocket_violations_total", "code", [.protocolError, .invalidText, .tooLarge]
        ) { String($0.rawValue) }
        self.refusedTransport = counters(
            "submergence_engine_requests_refused_total", "reason", TransportRefusal.allCases
        ) { $0.rawValue }
        self.limits = counters("submergence_limits_hit_total", "limit", Limit.allCases) { $0.rawValue }
        self.refusedConnect = counters(
            "submergence_live_connects_refused_total", "code", ConnectErrorCode.allCases
        ) { $0.rawValue }
    }

    var openSessions: Int { self.sessionCount.load(ordering: .relaxed) }

    func sessionOpened(_ transport: EngineTransport) {
        self.sessionCount.add(1, ordering: .relaxed)
        self.opened[transport.rawValue]?.increment()
    }

    func sessionClosed(_ reason: CloseReason) {
        self.sessionCount.subtract(1, ordering: .relaxed)
        self.closed[reason]?.increment()
    }

    /// The pace of a mass close; 0 when it is over.
    func closing(perSecond pace: Double) { self.closingPace.record(pace) }

    func disconnected(_ reason: CloseReason) { self.left[reason]?.increment() }

    func violated(_ code: WebSocketCloseCode) { self.violations[code]?.increment() }

    func refused(_ refusal: TransportRefusal) {
        self.refusedTransport[refusal]?.increment()
        if let limit = refusal.limit { self.hit(limit) }
    }

    /// A handshake was admitted; of a foreign page it is counted, whatever becomes of it.
    func admitted(_ handshake: Handshake) {
        if handshake.origin == .foreign, !handshake.isOriginListed { self.foreign.increment() }
    }

    /// A handshake came from a trusted proxy that does not say for whom.
    func handshakeUnattributed() { self.unattributed.increment() }

    func slowConsumer() {
        self.slowConsumers.increment()
        self.hit(.unsent)
    }

    func slowHead(_ limit: Limit) {
        self.slowHeads.increment()
        self.hit(limit)
    }

    func slowBody() {
        self.slowBodies.increment()
        self.hit(.bodyTime)
    }

    /// Somebody has met a limit.
    func hit(_ limit: Limit) { self.limits[limit]?.increment() }

    func refused(_ code: ConnectErrorCode) { self.refusedConnect[code]?.increment() }

    /// Takes over what a loop has counted since the last tick.
    func add(_ counters: LoopCounters) {
        if counters.packetsIn > 0 { self.packetsIn.increment(by: counters.packetsIn) }
        if counters.packetsOut > 0 { self.packetsOut.increment(by: counters.packetsOut) }
        if counters.unhandledEvents > 0 { self.unhandled.increment(by: counters.unhandledEvents) }
        if counters.volatileDropped > 0 { self.volatileDropped.increment(by: counters.volatileDropped) }
        if counters.coalesced > 0 { self.coalesced.increment(by: counters.coalesced) }
    }

    /// Sets the gauges; about once a second.
    func sample(connections: Int, users: Int, rooms: Int, pendingConnects: Int, addresses: Int) {
        self.sessions.record(self.openSessions)
        self.connections.record(connections)
        self.users.record(users)
        self.rooms.record(rooms)
        self.pendingConnects.record(pendingConnects)
        self.trackedAddresses.record(addresses)
    }
}
