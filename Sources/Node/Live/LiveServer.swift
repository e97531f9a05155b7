import HummingbirdCore
import Logging
import Metrics
import NIOCore
import NIOPosix
import Routing
import Synchronization
import Wire

/// Everything that the live connections of a node share: options, handlers, the table of polling sessions, the loops.
final class LiveServer: Sendable {
    /// What a server is made with; nothing of it changes later.
    struct Setup: Sendable {
        var options: LiveOptions
        /// nil while connection state recovery is off.
        var recovery: LiveRecovery?
        var graces: Graces
        var gate: HandshakeGate
        var mode: Configuration.Mode
        /// The node's own name, if it has one.
        var nodeName: String?
        var namespaces: [String: InstalledNamespace]
        var patterns: [NamespacePattern]
        /// Who a socket belongs to, by its session cookie; nil where there are no sessions.
        var identifier: SocketIdentifier?
        /// Whether a session is still good, through the cache.
        var isSessionActive: SessionGuard.Reader
        /// nil in conformance mode: there `action` is an event like any other.
        var actions: SocketActions?
        /// What `ready` and `ice` tell of servers for media (SPEC LK-18).
        var ice: ICEServers
        /// nil in conformance mode.
        var links: LinkService?
        /// Looks at the session of an open socket; asked every ``sessionCheck`` seconds (SPEC ID-8).
        var watchSession: SessionWatch
        var sessionCheck: Double
        /// Server time, milliseconds since 1970.
        var wallTime: @Sendable () -> Int64
        /// Whether any domain takes tokens: then they are kept from the application.
        var takesTokens: Bool
        var liveConnection: LiveConnectionHook
        /// nil where no hook judges handshakes.
        var allowRequest: AllowRequestHook?
        /// Answers plain HTTP.
        var responder: HTTPChannelHandler.Responder
        /// The domains that traffic is counted for, and what actions they have had.
        var actionTally: ActionTally
        var logger: Logger
    }

    let engineOptions: EngineOptions
    let socketOptions: SocketOptions
    let metrics = LiveMetrics()
    let confirmations = ConfirmationMetrics()
    let domains: DomainSlots
    let domainMetrics: DomainMetrics
    /// What other nodes ask about this one.
    let inquiries = InquiryDesk()
    let cors: CrossOrigin
    let work: WorkPool
    let headLimits: UpgradeRequest.Limits
    let addresses: AddressLimits
    let ackIDs = AckIDs()
    let children: NamespaceChildren
    /// Whether some namespace wants to see the CONNECT payload.
    let keepsAuth: Bool
    /// Whether the client's first request is kept after `/` has been joined: a namespace that is joined later asks for it.
    let keepsHandshakes: Bool
    let setup: Setup
    private let http: HTTPConnections
    private let webSocketSessions = SessionKeyTable()
    private let polling = (0..<16).map { _ in PollingTable() }
    let loops = Mutex<[NIOLoopBound<LiveLoop>]>([])
    let pulses = Mutex<[LoopPulse]>([])
    private let clusterNode = Mutex<ClusterNode?>(nil)
    let lastSample: Mutex<LiveFigures>
    private let isOpen = Atomic<Bool>(false)
    let accepting: Mutex<AcceptPacer>

    private final class PollingTable: Sendable {
        let sessions = Mutex<[String: PollingEntry]>([:])
    }

    init(_ setup: Setup) {
        self.setup = setup
        self.domains = setup.actionTally.domains
        self.domainMetrics = DomainMetrics(self.domains)
        self.lastSample = Mutex(LiveFigures(domains: self.domains))
        self.engineOptions = setup.options.engine
        self.cors = setup.gate.crossOrigin
        let limits = setup.options.limits
        self.headLimits = limits.head
        self.addresses = AddressLimits(limits.addresses)
        self.accepting = Mutex(AcceptPacer(perSecond: setup.options.acceptRate, at: .now()))
        self.socketOptions = limits.sockets(
            engine: self.engineOptions, connectTimeout: setup.options.connectTimeout, answers: setup.actions != nil)
        self.work = WorkPool(name: "live", limit: setup.options.runningHandlers)
        self.children = NamespaceChildren(limit: setup.options.dynamicNamespaces)
        let applications = setup.namespaces.mapValues(\.application)
        self.keepsAuth =
            !setup.patterns.isEmpty || applications.values.contains { $0.joined != nil || $0.needsHandshake }
        self.keepsHandshakes =
            !setup.patterns.isEmpty || applications.contains { $0.key != "/" && $0.value.needsHandshake }
        let box = Unowned()
        self.http = HTTPConnections(responder: setup.responder, limits: limits.head, logger: setup.logger) {
            let server = box.server
            return [
                EngineHTTPHandler(server: server),
                AnswerStreamHandler(stallTimeout: server.stallTimeout) { server.metrics.hit(.stallTime) },
            ]
        }
        box.set(self)
    }

    /// The way from the HTTP configuration, which is made first, to the server that it belongs to.
    private final class Unowned: Sendable {
        private let reference = Mutex<Reference>(Reference())

        private struct Reference {
            weak var server: LiveServer?
        }

        func set(_ server: LiveServer) { self.reference.withLock { $0.server = server } }

        var server: LiveServer {
            guard let server = self.reference.withLock(\.server) else {
                preconditionFailure("a channel is set up by its server")
            }
            return server
        }
    }

    /// The `Set-Cookie` of a handshake's answer; nil where it has none (SOCKETIO §2.6).
    func affinityCookie(for handshake: Handshake) -> String? {
        guard let cookie = self.options.transport.cookie, let node = self.clusterNode.withLock(\.self) else {
            return nil
        }
        let label = self.setup.nodeName.flatMap { AffinityCookie.isToken($0) ? $0 : nil } ?? node.id.text
        return cookie.field(label: label, isSecure: handshake.source.isSecure)
    }

    // MARK: Sessions that poll

    private func table(of sid: String) -> PollingTable {
        self.polling[Int(UInt(bitPattern: sid.hashValue) % UInt(self.polling.count))]
    }

    func pollingSession(_ sid: String) -> PollingEntry? {
        self.table(of: sid).sessions.withLock { $0[sid] }
    }

    func remember(_ session: LiveSession, as sid: String) {
        let entry = PollingEntry(
            session: NIOLoopBound(session, eventLoop: session.loop.eventLoop),
            owner: self.gate.owner(of: session.handshake))
        self.table(of: sid).sessions.withLock { $0[sid] = entry }
    }

    /// Finds out whether a request with another cookie is made by the person and device that the session is connected for
    /// (SPEC ID-9, ID-10): then the session is that cookie's from now on.
    func recognize(
        _ handshake: Handshake, _ claimed: PollingOwner, _ entry: PollingEntry,
        then: @escaping @Sendable (Bool) -> Void
    ) {
        guard let identifier = self.identifier else { return then(false) }
        let isQueued = self.work.submit {
            guard case .known(let found) = await identifier(handshake, ConnectAuth()) else { return then(false) }
            entry.run { session in
                guard let known = session.connection?.identity, known.key == found.key, known.client == found.client
                else { return then(false) }
                if let sid = session.polling?.sid { self.pass(sid, to: claimed) }
                then(true)
            }
        }
        if !isQueued { then(false) }
    }

    private func pass(_ sid: String, to owner: PollingOwner) {
        self.table(of: sid).sessions.withLock { sessions in
            guard let entry = sessions[sid] else { return }
            sessions[sid] = PollingEntry(session: entry.session, owner: owner)
        }
    }

    func forget(_ sid: String) {
        self.table(of: sid).sessions.withLock { $0[sid] = nil }
    }

    func remember(_ key: SessionKey) { self.webSocketSessions.insert(key) }

    func forget(_ key: SessionKey) { self.webSocketSessions.remove(key) }

    /// The transport of the session that a request names; where it began with polling, its own loop knows better.
    func transport(of request: EngineRequest, _ entry: PollingEntry?) -> EngineTransport? {
        if entry != nil { return .polling }
        guard request.isSessionIDPlausible, let key = request.sid.flatMap({ SessionKey($0) }) else { return nil }
        return self.webSocketSessions.contains(key) ? .websocket : nil
    }

    // MARK: Admission

    /// Whether a new engine session may be opened (SPEC ND-3, ND-11, ND-13): temporary refusals are made here, on the
    /// transport, and so are those per client address.
    ///
    /// - Returns: whom the session is counted for: hand it to the session, which owes its ``AddressLimits/close``.
    func admit(from source: ProxyTrust.Source) throws(TransportRefusal) -> AddressKey {
        guard self.isOpen.load(ordering: .relaxed), let clusterNode = self.clusterNode.withLock(\.self),
            clusterNode.mayAccept
        else { throw .unavailable }
        guard self.metrics.openSessions < self.options.maximumSessions else {
            self.metrics.hit(.sessions)
            throw .busy
        }
        guard clusterNode.admission.mayBegin() else {
            self.metrics.hit(.connectWindow)
            throw .busy
        }
        let key = try self.count(source)
        // Behind the limit per address: who is refused by that has not used up what others may.
        guard self.accepting.withLock({ $0.pass(at: .now()) }) else {
            self.addresses.close(key, hasJoined: false)
            self.metrics.hit(.acceptRate)
            throw .busy
        }
        return key
    }

    private func count(_ source: ProxyTrust.Source) throws(TransportRefusal) -> AddressKey {
        guard self.addresses.isOn else { return .none }
        guard source.key != .none else {
            self.metrics.handshakeUnattributed()
            return .none
        }
        let admission = try self.addresses.open(source.key)
        if !admission.isCounted { self.metrics.hit(.addresses) }
        return admission.key
    }

    /// Nanoseconds by which the tick of a loop was late at worst since the last call. For one reader.
    func takeLag() -> Int64 {
        let now = NIODeadline.now()
        return self.pulses.withLock(\.self).reduce(0) { max($0, $1.takeLag(at: now)) }
    }

    /// A handshake that was admitted makes no session after all.
    func dismiss(_ address: AddressKey) { self.addresses.close(address, hasJoined: false) }

    /// Draining closes the door first (SPEC ND-12).
    func setOpen(_ isOpen: Bool) {
        self.isOpen.store(isOpen, ordering: .relaxed)
    }

    /// New connections belong to this incarnation; nil: none are taken.
    func adopt(_ clusterNode: ClusterNode?) {
        self.clusterNode.withLock { $0 = clusterNode }
        for loop in self.loops.withLock(\.self) { loop.execute { $0.adopt(clusterNode) } }
    }

    /// The incarnation that serves now; nil while there is none.
    var currentNode: ClusterNode? { self.clusterNode.withLock(\.self) }

    /// What people call nodes: their names or, without one, their ids.
    func nodeNames(_ ids: [NodeID]) -> [String] {
        let membership = self.currentNode?.incarnation.membership
        return ids.map { membership?.record(of: $0)?.name ?? $0.text }
    }

    /// The packet of an application's event.
    /// - Throws: ``StationError`` for what cannot be sent, or `EncodingError`.
    func packet(_ event: String, _ arguments: [any Encodable], namespace: String) throws -> OutboundPacket {
        let encoded = try arguments.map(EventEncoding.argument)
        do {
            return try self.packet(event, encoded: encoded, namespace: namespace)
        } catch .reservedName {
            throw StationError.reservedName(event)
        } catch {
            throw StationError.invalidEvent("\(error)")
        }
    }

    /// The same, of arguments that are encoded already.
    func packet(
        _ event: String, encoded: [EventArgument], namespace: String
    ) throws(EventError) -> OutboundPacket {
        if namespace == "/", EventName.product.contains(event) { throw .reservedName }
        let limits = EventLimits(maxBytes: min(self.options.maximumEvent, EventLimits.ceiling))
        return try OutboundPacket.event(event, encoded, namespace: namespace, limits: limits)
    }

    // MARK: Loops

    /// Makes the state of every loop. Call once, before ``listen(_:group:)``.
    func start(on group: MultiThreadedEventLoopGroup) async throws -> (ConnectionIndex, RoomIndex) {
        var loops: [NIOLoopBound<LiveLoop>] = []
        var tables: [ConnectionIndex.Table] = []
        var rooms: [RoomIndex.Tables] = []
        var pulses: [LoopPulse] = []
        for (number, eventLoop) in group.makeIterator().enumerated() {
            let (loop, table, roomTables, pulse) = try await eventLoop.submit {
                let loop = LiveLoop(eventLoop: eventLoop, number: number, server: self)
                return (
                    NIOLoopBound(loop, eventLoop: eventLoop), NIOLoopBound(loop.table, eventLoop: eventLoop),
                    NIOLoopBound(loop.rooms, eventLoop: eventLoop), loop.pulse
                )
            }.get()
            loops.append(loop)
            tables.append(table)
            rooms.append(roomTables)
            pulses.append(pulse)
            eventLoop.scheduleRepeatedTask(initialDelay: self.tick, delay: self.tick) { _ in
                loop.value.tick(at: .now())
            }
        }
        self.loops.withLock { $0 = loops }
        self.pulses.withLock { $0 = pulses }
        return (ConnectionIndex(tables: tables), RoomIndex(loops: rooms, limits: self.roomLimits))
    }

    /// Runs `body` on every loop, with what its sessions share.
    /// - Parameter tally: entered once for each loop, before any of them runs.
    func onEveryLoop(entering tally: CutTally? = nil, _ body: @escaping @Sendable (LiveLoop) -> Void) {
        let loops = self.loops.withLock(\.self)
        for _ in loops { tally?.enter() }
        for loop in loops { loop.execute(body) }
    }

    /// The state of the loop that a channel lives on. Call from that loop.
    func loop(of eventLoop: any EventLoop) -> LiveLoop? {
        self.loops.withLock { loops in loops.first { $0.eventLoop === eventLoop } }?.value
    }

    /// - Throws: ``StartError`` when the port cannot be had.
    func listen(_ listener: Configuration.Listener, group: MultiThreadedEventLoopGroup) async throws -> any Channel {
        do {
            return try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 4_096)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.maxMessagesPerRead, value: 64)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try self.welcome(channel) }
                }
                .bind(host: listener.host, port: listener.port).get()
        } catch {
            throw StartError.port(listener, flag: "--port", error)
        }
    }

    private func welcome(_ channel: any Channel) throws {
        guard let loop = self.loop(of: channel.eventLoop) else { return channel.close(promise: nil) }
        try loop.receive.serve(channel)
        try channel.pipeline.syncOperations.addHandler(FrontDoorHandler(loop: loop))
    }

    // MARK: Plain HTTP

    /// Sets up Hummingbird's pipeline behind the front door. Call on the channel's loop.
    /// - Returns: false when too many connections wait, or the channel is gone.
    func adoptHTTP(_ channel: any Channel) -> Bool { self.http.adopt(channel) }

    /// Serves plain HTTP and asynchronous handlers until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.work.run() }
            group.addTask { await self.http.run() }
            group.addTask {
                while !Task.isCancelled {
                    await self.sample()
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }

    // MARK: Hooks

    func runLiveConnectionHook(_ connection: LiveConnection, _ identity: ConnectionIdentity) {
        let hook = self.setup.liveConnection
        guard hook.isWanted(identity.domain) else { return }
        let socket = Socket(connection)
        let handshake = connection.session.handshake
        connection.session.enqueueHandler { await hook.run(handshake, identity, socket) }
    }
}
