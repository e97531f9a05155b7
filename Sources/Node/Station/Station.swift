public import Logging
import Metrics
import NIOCore
import Routing
public import ServiceLifecycle
import Synchronization
import UnixSignals
import Wire

/// A node of the cluster, and the application on it: actions, hooks, and events to people.
///
/// ```swift
/// let station = try Station(configuration: .development)
/// station.on(.userOnline) { presence in
///     try await station.send(to: friends(of: presence.user), "online", presence.user)
/// }
/// try await station.run()
/// ```
///
/// Register everything before ``run()``. A station is a `Service`: in an application's own `ServiceGroup`, set
/// ``Configuration/handlesSignals`` to false.
public final class Station: Service {
    let configuration: Configuration
    let logger: Logger
    let registrations: Mutex<Registrations>
    private let running = Mutex<RunningStation?>(nil)

    /// What the application has registered; frozen when the station runs.
    struct Registrations: Sendable {
        var actions: [Action] = []
        var presence: [Presence.Change: [PresenceHandler]] = [:]
        var liveConnection: [ActionlessHandler] = []
        var allowRequest: AllowRequestHook?
        var peerRequest: PeerRequestHandler?
        var tokenHook: TokenHook?
        var namespaces: [String: NamespaceApplication] = ["/": NamespaceApplication()]
        var patterns: [Pattern] = []
        var pages: [StaticPages] = []
        var setup: [SetupHook] = []
        var onStart: [@Sendable ([String]) -> Void] = []
        var metrics: PrometheusMetricsFactory?
        var templates: Templates?
        /// What the station's logger complains about.
        var problems = ProblemLog()
        var isFrozen = false

        /// Namespaces whose names clients choose.
        struct Pattern: Sendable {
            let accepts: @Sendable (_ name: String, _ auth: JSONValue) async throws -> Bool
            var application = NamespaceApplication()
        }
    }

    /// The handler of a hook that has an agent and a reply.
    public typealias ActionlessHandler = @Sendable (Agent, Reply) async throws -> Void

    /// - Throws: ``StartError`` for a configuration that cannot work.
    public init(configuration: Configuration, logger: Logger = Logger(label: "submergence")) throws {
        try configuration.validate()
        self.configuration = configuration
        let registrations = Registrations()
        self.logger = registrations.problems.watching(logger)
        self.registrations = Mutex(registrations)
        if configuration.mode == .conformance { ConformanceApplication.install(on: self) }
        if configuration.servesDemo { DemoApplication.install(on: self) }
    }

    // MARK: Registering

    /// Registers an action: the first one that fits method and path answers (SPEC §5).
    /// - Parameter method: nil for every method.
    public func action(
        _ method: ActionMethod?, _ path: ActionPath, requires requirements: ActionRequirements = [],
        options: ActionOptions = ActionOptions(), handler: @escaping ActionHandler
    ) {
        self.register {
            $0.actions.append(Action(method, path, requires: requirements, options: options, handler: handler))
        }
    }

    /// Registers a handler of announced presence; several run in the order of their registration (SPEC EV-7). It has 10 s,
    /// and what it throws is logged: other handlers run all the same.
    public func on(_ change: Presence.Change, _ handler: @escaping PresenceHandler) {
        self.register { $0.presence[change, default: []].append(handler) }
    }

    /// Registers a handler for connections that have come live; the reply's events go to that connection (SPEC LC-5).
    public func on(_ hook: ConnectionHook, _ handler: @escaping ActionlessHandler) {
        self.register { $0.liveConnection.append(handler) }
    }

    /// Registers the hook that judges requests for Links; the last one registered counts, and without one all are denied
    /// (SPEC LK-4, docs/links.md). It has 10 s, and one that throws denies. In a domain whose webhook has this hook it is not
    /// asked.
    public func on(_ hook: LinkHook, _ handler: @escaping PeerRequestHandler) {
        self.register { $0.peerRequest = handler }
    }

    /// Registers the hook that judges every handshake before there is a session; the last one registered counts. It has
    /// ``TransportOptions/allowRequestTimeout`` to answer, then the client is told to come back; one that throws refuses.
    /// Until it has answered the client waits, so it should be quick, and end by itself.
    public func allowRequest(_ hook: @escaping AllowRequestHook) {
        self.register { $0.allowRequest = hook }
    }

    /// Registers the hook that may refuse a token which is otherwise in order, as one that was issued before its user's
    /// password changed; the last one registered counts (docs/identity.md, "Tokens").
    public func allowToken(_ hook: @escaping TokenHook) {
        self.register { $0.tokenHook = hook }
    }

    /// Registers the handler of an application event that clients send (SPEC WS-2). Handlers of one connection run one
    /// after the other; the last one registered for a name counts.
    public func on(event name: String, _ handler: @escaping @Sendable (SocketEvent) async throws -> Void) {
        self.namespace("/").on(event: name, handler)
    }

    /// The part of an event's handler that runs on the loop: copies the event and queues the rest.
    func loopHandler(_ handler: @escaping @Sendable (SocketEvent) async throws -> Void) -> EventTable.Handler {
        { event in
            let copy = SocketEvent(event)
            event.session.runHandler(copy.name, event.socket) { try await handler(copy) }
        }
    }

    /// Registers a handler that runs on the event loop and must not block: for the conformance server.
    func onLoop(event name: String, namespace: String = "/", _ handler: @escaping EventTable.Handler) {
        self.register { $0.namespaces[namespace, default: NamespaceApplication()].events.set(name, handler) }
    }

    /// Registers what runs behind CONNECT, with the client's auth payload.
    func onLoopJoin(namespace: String = "/", _ handler: @escaping @Sendable (LoopSocket, ByteBuffer) -> Void) {
        self.register { $0.namespaces[namespace, default: NamespaceApplication()].joined = handler }
    }

    func registerNamespace(_ name: String, _ body: (inout NamespaceApplication) -> Void) {
        self.register { body(&$0.namespaces[name, default: NamespaceApplication()]) }
    }

    func registerPattern(_ index: Int, _ body: (inout NamespaceApplication) -> Void) {
        self.register { body(&$0.patterns[index].application) }
    }

    func addPattern(
        _ accepts: @escaping @Sendable (_ name: String, _ auth: JSONValue) async throws -> Bool
    ) -> Int {
        self.registrations.withLock { registrations in
            precondition(!registrations.isFrozen, "register namespaces before the station runs")
            registrations.patterns.append(.init(accepts: accepts))
            return registrations.patterns.count - 1
        }
    }

    func registerUnlessRunning(_ body: (inout Registrations) -> Void) {
        self.registrations.withLock { if !$0.isFrozen { body(&$0) } }
    }

    /// Calls `body` with the lines that describe a started node.
    public func onStart(_ body: @escaping @Sendable ([String]) -> Void) {
        self.register { $0.onStart.append(body) }
    }

    /// Serves these metrics at `/metrics` on the control listener. The program bootstraps swift-metrics with the same
    /// factory; the library does not.
    public func expose(_ metrics: PrometheusMetricsFactory) {
        self.register { $0.metrics = metrics }
    }

    func register(_ body: (inout Registrations) -> Void) {
        self.registrations.withLock { registrations in
            precondition(!registrations.isFrozen, "register actions and hooks before the station runs")
            body(&registrations)
        }
    }

    // MARK: Running

    /// Runs the node until it is asked to stop (SIGTERM, SIGINT, or its service group's graceful shutdown), drained.
    ///
    /// - Throws: ``StartError`` when it cannot start; ``SupersededError`` when a newer process of its name took over.
    public func run() async throws {
        guard self.configuration.handlesSignals else { return try await self.serve() }
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: Inner(station: self), successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: self.logger))
        try await group.run()
    }

    private struct Inner: Service {
        let station: Station

        func run() async throws { try await self.station.serve() }
    }

    private func serve() async throws {
        let registrations = self.registrations.withLock { registrations in
            precondition(!registrations.isFrozen, "a station runs once")
            registrations.isFrozen = true
            return registrations
        }
        let running = try await RunningStation.make(self.configuration, registrations, logger: self.logger)
        self.running.withLock { $0 = running }
        defer { self.running.withLock { $0 = nil } }
        try await running.run()
    }

    /// The node at work.
    /// - Throws: ``StationError/notRunning``.
    func current() throws(StationError) -> RunningStation {
        guard let running = self.running.withLock(\.self) else { throw .notRunning }
        return running
    }
}

/// A newer process with this node's name took over (SPEC ND-5): two must not take turns.
public struct SupersededError: Error, Sendable {}

/// Why a station could not do what an application asked.
public enum StationError: Error, Sendable, Equatable {
    /// ``Station/run()`` has not started, or has ended.
    case notRunning
    /// Neither named in the call nor a single one configured.
    case domainMissing
    case unknownDomain(String)
    /// Not 1 to 128 bytes of UTF-8 without control characters (SPEC §1).
    case invalidIdentifier(String)
    /// The event's name is Socket.IO's or the product's own (SPEC §8).
    case reservedName(String)
    /// Name, size or arguments of the event are not sendable (SPEC EV-4); says which.
    case invalidEvent(String)
    /// The database could not be asked in time.
    case unavailable(String)
}
