import Logging
import NIOCore
import Routing
import Synchronization
import Wire

/// What a server was told.
extension LiveServer {
    private static let timerFraction: Int64 = 20
    /// Nanoseconds.
    private static let leastTick: Int64 = 5_000_000
    /// The official suites let three pings of 300 ms come within a connect timeout of a second: a tick of 2 ms then.
    private static let conformanceFraction: Int64 = 100
    private static let conformanceTick: Int64 = 2_000_000

    var options: LiveOptions { self.setup.options }
    var limits: LimitOptions { self.setup.options.limits }
    var gate: HandshakeGate { self.setup.gate }
    var namespaces: [String: InstalledNamespace] { self.setup.namespaces }
    var recovery: LiveRecovery? { self.setup.recovery }
    var graces: Graces { self.setup.graces }
    var patterns: [NamespacePattern] { self.setup.patterns }
    var roomLimits: RoomTable.Limits { self.setup.options.rooms }
    var identifier: SocketIdentifier? { self.setup.identifier }
    var actions: SocketActions? { self.setup.actions }
    var ice: ICEServers { self.setup.ice }
    var links: LinkService? { self.setup.links }
    var isSessionActive: SessionGuard.Reader { self.setup.isSessionActive }
    var logger: Logger { self.setup.logger }
    var believesAuth: Bool { self.setup.mode != .production }
    var liveRequires: LiveRequirement { self.options.liveRequires }
    var sendsProductEvents: Bool { self.setup.mode != .conformance }
    /// What of CONNECT payloads is kept from the application. The official suites want theirs back whole.
    var withheldAuth: [StaticString] {
        var names: [StaticString] = self.setup.recovery == nil ? [] : ["pid", "offset"]
        if self.sendsProductEvents { names.append("domestic") }
        if self.setup.takesTokens { names.append("token") }
        return names
    }
    var watchSession: SessionWatch { self.setup.watchSession }
    var sessionCheckInterval: TimeAmount { .milliseconds(Int64(self.setup.sessionCheck * 1000)) }
    var wallTime: Int64 { self.setup.wallTime() }
    var allowsForeignSockets: Bool { self.options.allowForeignSockets }
    var transport: TransportOptions { self.options.transport }
    var allowRequest: AllowRequestHook? { self.setup.allowRequest }
    var allowRequestTimeout: TimeAmount { .milliseconds(Int64(self.options.transport.allowRequestTimeout * 1000)) }
    var headTimeout: TimeAmount { .milliseconds(Int64(self.options.headTimeout * 1000)) }
    var connectDeadline: TimeAmount { .milliseconds(Int64(self.options.pendingConnectTimeout * 1000)) }
    var firstByteTimeout: TimeAmount { .milliseconds(Int64(self.limits.firstByteTimeout * 1000)) }
    var bodyTimeout: TimeAmount { .milliseconds(Int64(self.limits.bodyTimeout * 1000)) }
    var stallTimeout: TimeAmount { .milliseconds(Int64(self.limits.answerStallTimeout * 1000)) }
    var idleTimeout: TimeAmount { .milliseconds(Int64(self.limits.idleTimeout * 1000)) }

    /// How often a loop looks at its wheel: fine enough for the shortest heartbeat.
    var tick: TimeAmount {
        let shortest = min(self.engineOptions.pingInterval, self.engineOptions.pingTimeout).nanoseconds
        let (fraction, least) =
            self.setup.mode == .conformance
            ? (Self.conformanceFraction, Self.conformanceTick) : (Self.timerFraction, Self.leastTick)
        return .nanoseconds(min(max(shortest / fraction, least), 500_000_000))
    }

    /// Applies what of the limits may change while the server runs.
    func reload(_ options: LiveOptions) {
        self.addresses.set(options.limits.addresses)
        // A pacer of the same rate keeps what it knows.
        self.accepting.withLock { pacer in
            let next = AcceptPacer(perSecond: options.acceptRate, at: .now())
            if next.perSecond != pacer.perSecond { pacer = next }
        }
    }

    /// What runs on a path, with or without its trailing slash (SOCKETIO §2.1).
    func enginePath(_ path: String) -> EngineApplication? {
        if path == self.options.transport.path || path == self.options.transport.barePath { return .socketIO }
        guard self.setup.mode == .conformance else { return nil }
        return switch path {
        case "/engine.io/", "/engine.io": .echo
        case "/echo": .bareEcho
        default: nil
        }
    }
}
