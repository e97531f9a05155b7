import DequeModule
import NIOCore
import Routing
import Wire

/// What the sessions of one event loop share. Touch only from that loop; lives as long as it.
final class LiveLoop {
    /// How long a peer has to answer a close frame.
    private static let closingTime = TimeAmount.seconds(1)

    let eventLoop: any EventLoop
    let number: Int
    let server: LiveServer
    let table: ConnectionTable
    let rooms: RoomTables
    let wheel: TimingWheel
    let scratch = ScratchBuffer()
    let receive = ReceiveSlot()
    var random = LoopRandom()
    let frameLimits: WebSocketDecoder.Limits
    /// nil where no actions are answered over sockets.
    let actions: SocketActions?
    private(set) lazy var deflate = LoopDeflate(self.server.transport)
    /// nil where there is no rate.
    let rates: SocketRates.Limits?
    var counters = LoopCounters()
    /// By the domain's number (``DomainSlots``).
    var traffic: [DomainTraffic]
    /// How far the loop lags behind, for everybody to see.
    let pulse: LoopPulse
    /// The answers of the read that is being handled, or what else makes one write.
    var answers = ByteBuffer()
    /// Whether ``answers`` is some socket's at present.
    var isGathering = false
    /// The incarnation that new connections belong to; nil while there is none (SPEC ND-3).
    private(set) var clusterNode: ClusterNode?
    private(set) var sessions: [LiveSession] = []
    /// Sockets outside `/` by the user that they belong to; ``table`` knows those on `/`.
    private var outside: [RouteKey: [ObjectIdentifier: NamespaceSocket]] = [:]
    /// What ``rest(of:)`` gave last.
    private var rest: Handshake?
    /// Has changes that it was not woken for.
    private var unwoken: RouteCommitter?
    /// Those whose peers still have time to answer a close frame, in the order of their deadlines.
    private var closing: Deque<(deadline: NIODeadline, webSocket: WebSocketHandler)> = []
    private var unflushed: [WebSocketHandler] = []
    private var flushing: [WebSocketHandler] = []

    init(eventLoop: any EventLoop, number: Int, server: LiveServer) {
        self.eventLoop = eventLoop
        self.number = number
        self.server = server
        let broadcasts = server.recovery.map { BroadcastTrails(tracking: $0.tracking) }
        self.table = ConnectionTable(
            eventLoop: eventLoop, recovery: server.recovery?.tracking, broadcasts: broadcasts)
        self.rooms = RoomTables(broadcasts: broadcasts)
        self.pulse = LoopPulse(tick: server.tick, now: .now())
        self.frameLimits = server.engineOptions.frameLimits
        self.rates = server.limits.rates
        self.traffic = Array(repeating: DomainTraffic(), count: server.domains.count)
        self.actions = server.actions
        self.wheel = TimingWheel(tick: server.tick, slots: 256, now: .now())
    }

    func adopt(_ clusterNode: ClusterNode?) {
        self.clusterNode = clusterNode
    }

    /// A socket outside `/` has an identity, or is about to be let in with one.
    func addOutside(_ socket: NamespaceSocket) {
        guard let key = socket.identity?.key else { return }
        self.outside[key, default: [:]][ObjectIdentifier(socket)] = socket
    }

    func removeOutside(_ socket: NamespaceSocket) {
        guard let key = socket.identity?.key else { return }
        self.outside[key]?[ObjectIdentifier(socket)] = nil
        if self.outside[key]?.isEmpty == true { self.outside[key] = nil }
    }

    /// Every socket of the user, or of one of its clients, in whatever namespace, connecting ones included.
    func sockets(of key: RouteKey, client: String?) -> [LiveSocket] {
        var found = self.table.connections(of: key, client: client).compactMap { $0 as? LiveSocket }
        for socket in (self.outside[key] ?? [:]).values where client == nil || socket.identity?.client == client {
            found.append(socket)
        }
        return found
    }

    /// Every socket that has an identity.
    var identified: [LiveSocket] {
        var found = self.table.allConnections.compactMap { $0 as? LiveSocket }
        for sockets in self.outside.values { for socket in sockets.values { found.append(socket) } }
        return found
    }

    /// A new engine session is on this loop.
    func add(_ session: LiveSession) {
        session.seat = Int32(self.sessions.count)
        self.sessions.append(session)
    }

    /// Removes by swapping with the last one: O(1) in a mass close.
    func remove(_ session: LiveSession) {
        guard session.seat >= 0 else { return }
        let seat = Int(session.seat)
        session.seat = -1
        let last = self.sessions.removeLast()
        if seat < self.sessions.count {
            self.sessions[seat] = last
            last.seat = Int32(seat)
        }
    }

    /// What is kept of a handshake once its client has joined: one object for all that say the same one after the other, as
    /// tabs do that come back together.
    func rest(of handshake: Handshake) -> Handshake {
        if let rest = self.rest, rest.isAlike(handshake) { return rest }
        let rest = handshake.withoutCredentials
        self.rest = rest
        return rest
    }

    func takeCounters() -> LoopCounters {
        defer { self.counters = LoopCounters() }
        return self.counters
    }

    /// Ends some sessions that are still open; the rest comes with the next step.
    /// - Returns: how many it were.
    func endSome(_ count: Int, _ reason: LogoutReason) -> Int {
        guard count > 0 else { return 0 }
        var told = 0
        // From the back: what ends leaves the list by swapping.
        for session in self.sessions.reversed() where session.engine.isOpen {
            session.shutDown(reason)
            told += 1
            if told == count { break }
        }
        return told
    }

    /// Flushes a WebSocket behind the I/O events of this tick, however much is written to it until then.
    func flushSoon(_ webSocket: WebSocketHandler) {
        if self.unflushed.isEmpty {
            self.eventLoop.assumeIsolated().execute {
                // A failed write may write again.
                swap(&self.unflushed, &self.flushing)
                for webSocket in self.flushing { webSocket.flush() }
                self.flushing.removeAll(keepingCapacity: true)
            }
        }
        self.unflushed.append(webSocket)
    }

    /// Closes the connection of a WebSocket that has sent a close frame, unless its peer does so first. A tick late at most.
    func closeLater(_ webSocket: WebSocketHandler) {
        self.closing.append((.now() + Self.closingTime, webSocket))
    }

    /// Hands in a change of a route: what many connections hand in during one tick makes one round, and its answers wake
    /// this loop once.
    func commit(
        _ change: RouteChange, key: RouteKey, to committer: RouteCommitter,
        completion: @escaping RouteCommitter.Completion
    ) {
        // Once its incarnation is over, this loop may be about to end and run nothing any more.
        let isCurrent = self.clusterNode?.committer === committer
        committer.submit(change, key: key, wakes: !isCurrent, completion: completion)
        guard isCurrent, self.unwoken !== committer else { return }
        self.unwoken = committer
        // Behind the I/O events of this tick.
        self.eventLoop.assumeIsolated().execute {
            committer.wake()
            if self.unwoken === committer { self.unwoken = nil }
        }
    }

    /// Drops the sessions that still wait for a last poll.
    func abandonAll() {
        for session in self.sessions.reversed() {
            if let ending = session.engine.end(.serverShuttingDown) { session.finish(ending) }
        }
    }

    /// Runs the wheel. Called once a tick by the loop's only timer.
    func tick(at now: NIODeadline) {
        self.pulse.tick(at: now)
        self.wheel.advance(to: now)
        while let next = self.closing.first, next.deadline <= now {
            self.closing.removeFirst()
            next.webSocket.disconnect()
        }
        if let clusterNode = self.clusterNode { self.server.recovery?.note(clusterNode.view.clusterTime) }
        self.scratch.shrink()
        if self.server.transport.compresses { self.deflate.shrink() }
        // The answers of one large read must not stay for good.
        if self.answers.storageCapacity > 1 << 20 { self.answers = ByteBuffer() }
    }
}

@available(*, unavailable) extension LiveLoop: Sendable {}
