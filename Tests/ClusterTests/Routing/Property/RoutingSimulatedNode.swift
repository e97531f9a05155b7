import Routing
import Wire

/// One process of a ``RoutingSimulation``: the machines of an incarnation, driven by events.
final class RoutingSimulatedNode {
    struct Socket {
        let key: RouteKey
        /// As it was prepared; the client is told ``socket`` and ``pid``.
        let connection: RouteDocument.Connection
        /// Not yet committed.
        var isPending = true
        /// Another SID than the prepared one, once it is recovered.
        var socket: SocketID
        var pid: PrivateIDHash?
    }

    typealias Completion = (Result<RouteOutcome, RouteError>) -> Void

    private static let tick = Nanoseconds.milliseconds(500)

    let id: NodeID
    unowned let simulation: RoutingSimulation
    var lease = LeaseMachine()
    var directory: DirectoryMachine
    var reap = ReapMachine()
    var commits: [RouteCommitMachine]
    var emission: EmissionMachine
    var keeper: GraceKeeper
    var sweep: GraceSweep
    var completions: [[RouteCommitMachine.OperationID: Completion]]
    var sockets: [SocketID: Socket] = [:]
    var order: [SocketID] = []
    /// Connections that were committed with Links, and are not live yet.
    var arrivals: [SocketID: RouteDocument] = [:]
    private var pausedUntil: Int64 = 0
    private var nextReading: Int64 = 0
    private var isReading = false
    private var isDraining = false
    var isSkewedBy: Int64
    /// How far its idea of the primary's clock is off, in milliseconds: at first by as much as its own clock is.
    private var clusterError: Int64
    private(set) var isRunning = true

    init(id: NodeID, simulation: RoutingSimulation) {
        self.id = id
        self.simulation = simulation
        self.directory = DirectoryMachine(node: id, name: nil)
        self.emission = EmissionMachine(node: id, options: EmissionOptions(handlers: 2))
        self.keeper = GraceKeeper(options: RoutingSimulation.graceOptions)
        self.sweep = GraceSweep(options: RoutingSimulation.graceOptions, seed: simulation.generator.next())
        self.commits = (0..<RoutingSimulation.shardCount).map {
            RouteCommitMachine(
                machine: RouteMachine(
                    node: id, limits: RouteLimits(perClient: 4, perUser: 6, links: 4),
                    recovery: simulation.recovers ? RouteRecovery(window: 10_000) { _ in "log" } : nil,
                    linkGrace: simulation.links?.grace ?? 0),
                options: RouteCommitOptions(
                    keysPerRound: 2, abandonedGrace: simulation.graces.moving,
                    abandonedLinkGrace: simulation.links?.moving ?? 0),
                seed: simulation.generator.next() &+ UInt64($0))
        }
        self.completions = commits.map { _ in [:] }
        // No two machines agree on the time.
        self.isSkewedBy = simulation.random(0...1_000_000_000_000)
        let error = simulation.clockError
        self.clusterError = simulation.random(-error...error)
    }

    /// The node's own monotonic clock.
    var now: Int64 { self.simulation.now + self.isSkewedBy }
    var clusterTime: Int64 { RoutingSimulation.epoch + self.simulation.now / 1_000_000 + self.clusterError }
    var standing: LeaseStanding { self.lease.standing(at: self.now) }

    var isPaused: Bool { self.simulation.now < self.pausedUntil }
    var mayAccept: Bool { self.isRunning && !self.isPaused && !self.isDraining && self.standing.mayAccept }
    /// Will be there at the end, in this or the next incarnation, unless it crashes.
    var isStaying: Bool { self.isRunning && !self.isDraining }
    var openSockets: [Socket] { self.order.compactMap { self.sockets[$0] } }

    // MARK: Life

    func start() {
        self.simulation.trace("\(RoutingSimulation.name(self.id)) starts")
        let sent = self.now
        let record = NodeRecord(id: self.id, name: nil, address: nil, started: 0, homes: [])
        self.ask(.registry) {
            self.simulation.records[self.id] = record
        } answer: { result in
            guard case .success = result else {
                // Not registered: the process gives up and starts again.
                self.isRunning = false
                self.simulation.at(self.simulation.now + Self.tick) { self.simulation.start() }
                return
            }
            self.lease.registered(sentAt: sent)
            self.scheduleTick()
        }
    }

    func crash() {
        self.simulation.trace("\(RoutingSimulation.name(self.id)) crashes")
        self.isRunning = false
        self.sockets = [:]
    }

    func pause(for length: Int64) {
        self.simulation.trace("\(RoutingSimulation.name(self.id)) is paused for \(length / 1_000_000) ms")
        self.pausedUntil = self.simulation.now + length
    }

    func drain() {
        guard !self.isPaused else { return }
        self.simulation.trace("\(RoutingSimulation.name(self.id)) drains")
        self.isDraining = true
        for socket in self.order where self.sockets[socket] != nil {
            self.disconnect(
                socket, grace: self.simulation.graces.moving, links: .grace(self.simulation.links?.moving ?? 0))
        }
    }

    /// ND-3: sockets and caches go, a new incarnation takes over.
    func end() {
        self.simulation.trace("\(RoutingSimulation.name(self.id)) is over")
        self.isRunning = false
        self.sockets = [:]
        if !self.isDraining { self.simulation.at(self.simulation.now + Self.tick) { self.simulation.start() } }
    }

    // MARK: Events

    /// Runs on the node: not while it is paused, and not after its death.
    func perform(at time: Int64? = nil, _ body: @escaping () -> Void) {
        let time = time ?? self.simulation.now
        if time > self.simulation.now || self.isPaused {
            self.simulation.at(max(time, self.pausedUntil)) { self.perform(body) }
            return
        }
        guard self.isRunning else { return }
        body()
        self.pump()
    }

    func ask<R>(
        _ resource: RoutingSimulation.Resource, effect: @escaping () -> R,
        stale: (([RouteKey: RouteDocument]) -> R)? = nil, answer: @escaping (Result<R, StoreError>) -> Void
    ) {
        self.simulation.call(resource, effect: effect, stale: stale) { result in self.perform { answer(result) } }
    }

    private func scheduleTick() {
        self.perform(at: self.simulation.now + Self.tick) {
            self.tick()
            self.scheduleTick()
        }
    }

    private func tick() {
        self.lease.check(at: self.now)
        if self.lease.end != nil { return self.end() }
        if let next = self.lease.nextRenewal, next <= self.now { self.renew() }
        if !self.isReading, self.nextReading <= self.now { self.read() }
        for action in self.directory.due(at: self.now) { self.watch(action) }
        self.sweepLinks()
        for shard in self.commits.indices {
            self.settle(self.commits[shard].expire(now: self.now), shard)
        }
        if self.isDraining, self.commits.allSatisfy(\.isIdle), self.emission.isIdle {
            self.simulation.trace("\(RoutingSimulation.name(self.id)) leaves")
            self.isRunning = false
            self.simulation.records[self.id]?.state = .gone
        }
    }

    private func renew() {
        let beat = self.lease.renew(at: self.now)
        self.ask(.registry) { () -> Renewal.Standing in
            guard let record = self.simulation.records[self.id], record.state < .claimed else { return .lost }
            self.simulation.records[self.id]?.beat = max(beat, record.beat)
            return .renewed
        } answer: { result in
            let standing = try? result.get()
            // The clock of the primary, to within the way there and back.
            if standing == .renewed { self.clusterError = self.simulation.random(-200...200) }
            self.lease.answered(standing, at: self.now)
        }
    }

    private func read() {
        self.isReading = true
        self.nextReading = self.now + DirectoryOptions().reading
        self.ask(.registry) {
            DirectoryReading(records: self.simulation.records.values.sorted { $0.id < $1.id }, isComplete: true)
        } answer: { result in
            self.isReading = false
            if case .success(let reading) = result { self.handle(self.directory.read(reading, at: self.now)) }
        }
    }

    private func handle(_ events: [DirectoryMachine.Event]) {
        for event in events {
            switch event {
            case .nodeClaimed: break
            case .reap(let id, let claim): self.reap.add(id, claim: claim, at: self.now)
            case .selfSeen(let state): self.lease.met(state)
            }
        }
    }

    private func watch(_ action: DirectoryMachine.Action) {
        switch action {
        case .suspect(let id, let beat):
            self.ask(.registry) {
                self.simulation.records[id]?.beat == beat
            } answer: { result in
                self.directory.suspected(id, isSame: try? result.get(), at: self.now)
            }
        case .claim(let id, let expected):
            self.ask(.registry) { () -> Bool in
                guard let record = self.simulation.records[id], record.state != .gone, record.beat == expected.beat,
                    record.claimedBy == expected.claimedBy, record.claimBeat == expected.claimBeat
                else { return false }
                self.simulation.trace("\(RoutingSimulation.name(self.id)) claims \(RoutingSimulation.name(id))")
                self.simulation.records[id]?.state = .claimed
                self.simulation.records[id]?.claimedBy = self.id
                self.simulation.records[id]?.claimBeat = expected.claimBeat + 1
                return true
            } answer: { result in
                self.handle(
                    self.directory.claimed(id, isWon: try? result.get(), expecting: expected, at: self.now))
            }
        }
    }

    func perform(_ action: ReapMachine.Action) {
        switch action {
        case .renewClaim(let id, let claimBeat):
            self.ask(.registry) { () -> Bool in
                guard let record = self.simulation.records[id], record.state == .claimed, record.claimedBy == self.id
                else { return false }
                self.simulation.records[id]?.claimBeat = max(claimBeat, record.claimBeat)
                return true
            } answer: { result in
                self.reap.claimRenewed(id, isHeld: try? result.get())
            }
        case .scan(let id):
            func keys(_ documents: [RouteKey: RouteDocument]) -> [RouteKey] {
                documents.values.filter { document in
                    document.live.contains { $0.node == id } || document.outbox.contains { $0.owner == id }
                }.map(\.key).sorted()
            }
            self.ask(.shard(0), effect: { keys(self.simulation.documents) }, stale: keys) { result in
                if let action = self.reap.scanned(id, keys: try? result.get(), at: self.now) { self.perform(action) }
            }
        case .remove(let id, let keys):
            var left = keys.count
            for key in keys {
                self.submit(.reap(id), key: key) { _ in
                    left -= 1
                    if left == 0 { self.reap.removed(id, isDone: true, at: self.now) }
                }
            }
        case .tombstone(let id):
            self.ask(.registry) { () -> Void in
                self.simulation.trace("\(RoutingSimulation.name(self.id)) has reaped \(RoutingSimulation.name(id))")
                self.simulation.records[id]?.state = .gone
            } answer: { result in
                self.reap.tombstoned(id, isDone: (try? result.get()) != nil, at: self.now)
            }
        }
    }

    // MARK: Connections

    /// - Parameters:
    ///   - pid: of the connection that the client had before.
    ///   - isForeign: that was another domain's.
    func connect(
        _ connection: RouteDocument.Connection, key: RouteKey, recovering pid: PrivateIDHash? = nil,
        isForeign: Bool = false
    ) {
        self.simulation.owners[connection.socket] = key
        self.simulation.trace(
            "\(RoutingSimulation.name(self.id)) \(pid == nil ? "connect" : "recover") \(key.user) "
                + "\(connection.client) \(connection.endpoint) " + connection.socket.text.suffix(22))
        self.sockets[connection.socket] = Socket(
            key: key, connection: connection, socket: connection.socket, pid: connection.recovery?.pid)
        self.order.append(connection.socket)
        self.perform {
            let change = pid.map { RouteChange.recover($0, connection) } ?? .connect(connection)
            self.submit(change, key: key) { result in
                switch result {
                case .success(.connected(let superseded)):
                    self.sockets[connection.socket]?.isPending = false
                    for old in superseded { self.tell(old) }
                    self.joinLinks(connection.socket)
                case .success(.recovered(let recovered)):
                    if isForeign { self.simulation.fault("§11.7: \(key) recovered a connection of another domain") }
                    self.simulation.trace("  recovered \(recovered.socket.text.suffix(22))")
                    self.sockets[connection.socket]?.isPending = false
                    self.sockets[connection.socket]?.socket = recovered.socket
                    self.sockets[connection.socket]?.pid = pid
                    for old in recovered.superseded { self.tell(old) }
                    self.joinLinks(recovered.socket)
                case .success, .failure:
                    self.sockets[connection.socket] = nil
                }
            }
        }
    }

    /// LC-6: the node of a superseded connection is told over the bus, later.
    func tell(_ old: RouteDocument.Connection) {
        let delay = self.simulation.random(1...300) * 1_000_000
        guard let node = self.simulation.nodes.first(where: { $0.id == old.node }) else { return }
        self.simulation.at(self.simulation.now + delay) { node.perform { node.giveWay(old) } }
    }

    func giveWay(_ old: RouteDocument.Connection) {
        for prepared in self.order where self.sockets[prepared] != nil && old.isHeld(by: prepared) {
            self.disconnect(prepared)
        }
    }

    /// - Parameters:
    ///   - socket: as it was prepared.
    ///   - grace: nil: that of whoever is lost.
    func disconnect(
        _ socket: SocketID, isFinal: Bool = false, grace: Int64? = nil, links: LinkDeparture? = nil
    ) {
        guard let old = self.sockets.removeValue(forKey: socket) else { return }
        let grace = grace ?? self.simulation.graces.presence
        self.simulation.trace(
            "\(RoutingSimulation.name(self.id)) disconnect \(old.key.user) \(old.connection.client) "
                + socket.text.suffix(22) + " grace \(grace) ms")
        self.perform {
            let links = links ?? .grace(self.simulation.links?.grace ?? 0)
            self.submit(
                .disconnect(socket, node: self.id, isFinal: isFinal, grace: grace, links: links), key: old.key
            ) { _ in }
        }
    }

    /// A kick or logout that was decided here: whoever is waited for is not waited for any more.
    func forget(_ client: String?, key: RouteKey) {
        self.simulation.trace("\(RoutingSimulation.name(self.id)) forget \(key.user) \(client ?? "all")")
        self.perform { self.submit(.forget(client: client, links: .kick), key: key) { _ in } }
    }

    // MARK: Graces

    func finishGraces() {
        guard self.standing.mayWriteRoutes else { return }
        for key in self.keeper.take(at: self.clusterTime) {
            self.submit(.settle(isOverdue: false), key: key) { result in
                var due: Int64?
                if case .success(.settled(let next)) = result { due = next }
                self.keeper.settled(key, due: due)
            }
        }
        let alive = self.directory.snapshot.records.values.count { $0.state < .claimed }
        guard self.sweep.due(at: self.now, nodes: alive) else { return }
        let (limit, deadline) = (self.sweep.room, self.clusterTime - RoutingSimulation.graceOptions.overdue)
        func overdue(_ documents: [RouteKey: RouteDocument]) -> [RouteKey] {
            let found = documents.values.filter { ($0.due ?? .max) < deadline }.map(\.key).sorted()
            return Array(found.prefix(limit))
        }
        let shard = Int(self.simulation.random(0...Int64(RoutingSimulation.shardCount - 1)))
        self.ask(.shard(shard), effect: { overdue(self.simulation.documents) }, stale: overdue) { result in
            for key in self.sweep.found(try? result.get(), limit: limit) {
                self.simulation.trace("\(RoutingSimulation.name(self.id)) sweeps up \(key.user)")
                self.submit(.settle(isOverdue: true), key: key) { _ in self.sweep.settled(key, at: self.now) }
            }
        }
    }
}
