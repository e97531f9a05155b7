import Logging
import Metrics
import NIOCore
import Routing
import Synchronization
import Wire

/// The incarnations of this process, one after the other (SPEC ND-2, ND-3, ND-5): opens one, serves it to its end, drops
/// what belonged to it, opens the next.
final class ClusterLife: Sendable {
    /// What each incarnation is made with.
    struct Setup: Sendable {
        var backend: Backend
        var live: LiveServer
        var index: ConnectionIndex
        var rooms: RoomIndex
        var options: Incarnation.Options
        var name: String?
        var address: String?
        var pendingConnects: Int
        /// Seconds.
        var connectTarget: Double?
        var pace: Pace
        /// Share of events that are traced unasked.
        var traceRate: Double
        /// nil where the outbox is not served.
        var postings: PostingService?
        var presence: PresenceHandlers
        var cache: SessionCache
        /// Applies `kick` and `invalidate` messages of other nodes, and their reports.
        var revocations: @Sendable (BusMessage, NodeID) -> Void
        /// Are told of by other nodes.
        var domains: DomainConfigurations
        /// Sessions of all sockets are to be read again.
        var recheck: @Sendable () -> Void
        var logger: Logger
    }

    /// How fast clients come and go; it may change while the node runs.
    struct Pace: Sendable {
        var acceptRate: Int
        var drainSpread: Double
        var maxDrain: Double

        init(_ options: LiveOptions) {
            self.acceptRate = options.acceptRate
            self.drainSpread = options.drainSpread
            self.maxDrain = options.maxDrain
        }
    }

    private let setup: Setup
    let pace: Mutex<Pace>
    private let metrics = ClusterMetrics()
    private let state = Mutex(State())
    /// Raised when the drain has come to its end.
    private let left = WakeSignal()

    private struct State {
        var node: ClusterNode?
        /// From the order to stop on: no incarnation begins any more.
        var isLeaving = false
    }

    /// Between attempts to open an incarnation.
    private static let pauses: [Duration] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(5)]

    init(_ setup: Setup) {
        self.setup = setup
        self.pace = Mutex(setup.pace)
    }

    /// The incarnation that serves now; nil while there is none.
    var current: ClusterNode? { self.state.withLock(\.node) }

    /// Whether routes tell of connections that are gone: of those that may be recovered, or whose grace runs.
    var remembersTheLost: Bool { self.setup.live.recovery != nil || self.setup.live.graces.isOn }

    /// Whether the node is on its way out.
    var isLeaving: Bool { self.state.withLock(\.isLeaving) }

    // MARK: Opening

    /// Opens an incarnation: bus first, both homes proven, then the registration (ND-2).
    func open() async throws -> LifeStart {
        let setup = self.setup
        let id = NodeID.random()
        let others: DirectoryReading
        do {
            others = try await setup.backend.registry.list()
        } catch {
            throw StartError("cannot read the node registry", why: "\(error)", remedy: "Check that MongoDB is well.")
        }
        let formats = setup.backend.formats
        try formats.checkNeighbours(others)
        let homes = setup.backend.homes(for: id, among: others.records)
        var record = NodeRecord(
            id: id, name: setup.name, address: setup.address, started: SystemClusterClock().wallTime(), homes: homes)
        record.format = formats.written
        record.newestFormat = formats.newest
        // Nothing is known of it yet, but that nothing keeps it from taking what it may.
        record.intake = self.pace.withLock(\.acceptRate)
        var options = setup.options
        options.recovery = setup.live.recovery.map { recovery in
            RouteRecovery(window: recovery.window * 1_000) { recovery.log.place(of: $0) }
        }
        options.isHeard = { setup.presence.isHeard($0) }
        let incarnation = Incarnation(
            record: record, registry: setup.backend.registry, routes: setup.backend.routes, options: options,
            observer: self.observer
        ) { key, transition in
            await setup.presence.run(key, transition, on: id)
        }
        let rooms = LateRooms()
        let lateLinks = LateLinks()
        let membership = incarnation.membership
        let tracer = setup.backend.tracer(for: record, rate: setup.traceRate, logger: setup.logger) {
            membership.clusterTime
        }
        let ledger = PostingLedger()
        let receiver = BusReceiver(
            index: setup.index, rooms: rooms, links: lateLinks, tracer: tracer, ledger: ledger,
            names: { membership.record(of: $0)?.label ?? $0.text },
            revocations: setup.revocations, configurations: { setup.domains.receive($0) },
            gaps: { _ in self.afterGap() },
            logger: setup.logger)
        let bus: OpenBus
        do {
            bus = try await setup.backend.openBus(
                for: record, directory: incarnation.membership, receiver: receiver, tracer: tracer,
                logger: setup.logger)
        } catch {
            throw StartError(
                "cannot open the bus", why: "\(error)",
                remedy: "See docs/operations.md, \"How inboxes are read\"; --tail cursor needs no access to shards.")
        }
        do {
            try await incarnation.register()
        } catch {
            await bus.adapter.shutdown()
            throw StartError("cannot register this node", why: "\(error)", remedy: "Check that MongoDB is well.")
        }
        let remote = EventDispatcher.Remote(
            routes: setup.backend.routes, adapter: bus.adapter, directory: incarnation.membership)
        let clock = incarnation.membership
        let sending = setup.live.recovery.map { recovery in
            RecoverySending(log: recovery.log, clock: SystemClusterClock()) { clock.clusterTime }
        }
        // Other nodes report to one place, whatever they were asked.
        let requests = ClusterRequests()
        let dispatcher = EventDispatcher(
            node: id, index: setup.index, remote: setup.backend.isClustered || sending != nil ? remote : nil,
            recovery: sending, requests: requests, tracer: tracer, ledger: ledger)
        let remoteRooms = RoomDispatcher.Remote(
            adapter: bus.adapter, directory: membership,
            freshNodes: { () throws(StoreError) in try await membership.freshNodes() },
            knownNodes: { membership.snapshot.records.values.filter { $0.state < .claimed } })
        let live = setup.live
        let roomDispatcher = RoomDispatcher(
            node: id, index: setup.rooms, ackIDs: live.ackIDs, remote: setup.backend.isClustered ? remoteRooms : nil,
            recovery: sending, requests: requests
        ) { live.runServerSide($0, $1, $2, answer: $3) }
        rooms.set(roomDispatcher)
        let messenger = NodeMessenger(membership: membership, adapter: bus.adapter, work: setup.live.work)
        let links = setup.live.links.map { service in
            LinkBroker(
                service,
                LinkBroker.Surroundings(
                    node: id, routes: setup.backend.routes, membership: membership, committer: incarnation.committer,
                    index: setup.index, work: setup.live.work, messenger: messenger,
                    recovers: setup.live.recovery != nil, isFull: { live.metrics.hit(.linksPerUser) }))
        }
        lateLinks.set(links)
        let node = ClusterNode(
            incarnation: incarnation, adapter: bus.adapter, dispatcher: dispatcher, rooms: roomDispatcher,
            index: setup.index, admission: ConnectAdmission(limit: setup.pendingConnects, target: setup.connectTarget),
            messenger: messenger, links: links,
            postings: setup.postings?.runner(dispatcher, membership, live))
        return LifeStart(node: node, findings: bus.findings, runBus: bus.run)
    }

    private var observer: Incarnation.Observer {
        let logger = self.setup.logger
        let metrics = self.metrics
        var observer = Incarnation.Observer()
        observer.ended = { end in
            guard !self.isLeaving else { return }
            metrics.incarnationsLost.increment()
            logger.warning("this incarnation is over", metadata: ["reason": "\(end)"])
        }
        observer.reaping = { node in
            metrics.reaps.increment()
            logger.notice("reaping a dead node", metadata: ["node": "\(node)"])
        }
        observer.watching = { node in
            metrics.watches.increment()
            logger.debug("looking for late writes of a dead node", metadata: ["node": "\(node)"])
        }
        observer.unheard = { self.setup.presence.count($0) }
        // An older connection that gave way in a write whose outcome was unknown: its own node has to be told, too (LC-6).
        observer.superseded = { key, connection in self.current?.supersede([connection], key: key) }
        observer.links = { document, changes in self.current?.links?.note(document, changes) }
        observer.failed = { error in
            metrics.storeFailures.increment()
            logger.warning("the store failed", metadata: ["error": "\(error)"])
        }
        return observer
    }

    /// Messages were lost: caches go, every socket's session and the domains' configurations are read again, and
    /// rosters are sent again (ND-9).
    private func afterGap() {
        self.setup.cache.removeAll()
        self.current?.links?.repeatRosters(over: .seconds(10))
        self.setup.recheck()
        self.setup.domains.reread()
    }

    // MARK: Serving

    /// Serves one incarnation after the other until the task is cancelled, or the drain is over.
    /// - Throws: ``SupersededError``.
    func run(startingWith first: LifeStart) async throws {
        var next: LifeStart? = first
        while !Task.isCancelled, !self.isLeaving {
            guard let start = next else {
                next = await self.reopen()
                continue
            }
            next = nil
            guard self.adopt(start.node) else {
                await self.abandon(start.node)
                break
            }
            let end = await self.serve(start)
            // Who has left in good order finds its own record gone, too: that is no reason to begin anew.
            guard let end, !self.isLeaving else { break }
            // Every socket and cache of it goes (ND-3); its routes are the reaper's by now.
            self.state.withLock { $0.node = nil }
            self.setup.live.adopt(nil)
            self.setup.cache.removeAll()
            await self.setup.live.endAll(.node, over: 0)
            await start.node.adapter.shutdown()
            if end == .superseded { throw SupersededError() }
        }
        if let start = next { await self.abandon(start.node) }
        if self.isLeaving { await self.left.wait() }
    }

    /// - Returns: false when this process is to stop.
    private func adopt(_ node: ClusterNode) -> Bool {
        let isTaken = self.state.withLock { state -> Bool in
            guard !state.isLeaving else { return false }
            state.node = node
            return true
        }
        guard isTaken else { return false }
        self.setup.logger.notice("an incarnation serves", metadata: ["node": "\(node.id)"])
        self.setup.cache.setBypassed(false)
        self.setup.live.adopt(node)
        // What others told of while there was no incarnation went to nobody.
        self.setup.domains.reread()
        return true
    }

    /// Takes back an incarnation that was opened while the order to stop came.
    private func abandon(_ node: ClusterNode) async {
        do {
            try await node.incarnation.membership.deregister()
        } catch {
            self.setup.logger.warning("left without a word: this node will be reaped", metadata: ["error": "\(error)"])
        }
        await node.adapter.shutdown()
    }

    private func serve(_ start: LifeStart) async -> LeaseMachine.End? {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await start.runBus() }
            group.addTask { await start.node.dispatcher.run() }
            group.addTask { await start.node.rooms.run() }
            if let links = start.node.links { group.addTask { await links.run() } }
            if let service = self.setup.postings, let runner = start.node.postings {
                group.addTask { await service.run(runner) }
            }
            group.addTask { await self.watch(start.node) }
            let end = await start.node.incarnation.run()
            group.cancelAll()
            return end
        }
    }

    /// The session cache is trusted only while lease and bus are fresh (ND-3, ND-11).
    private func watch(_ node: ClusterNode) async {
        var intake = Intake(limit: self.pace.withLock(\.acceptRate))
        let membership = node.incarnation.membership
        while !Task.isCancelled {
            self.setup.cache.setBypassed(!node.refresh())
            intake.limit = self.pace.withLock(\.acceptRate)
            let connects = intake.sample(
                Intake.Sample(
                    mayAccept: node.mayAccept, admission: node.admission.sample(at: .now()),
                    loopLag: self.setup.live.takeLag(), commitLatency: node.committer.takeLatency()))
            membership.report(intake: connects)
            node.rooms.reconcile()
            self.metrics.sample(
                nodes: membership.snapshot.records.values.count { $0.state < .claimed },
                standing: membership.standing, isReady: node.mayAccept, intake: connects)
            do { try await Task.sleep(for: .milliseconds(200)) } catch { return }
        }
    }

    private func reopen() async -> LifeStart? {
        for attempt in 0... {
            if self.isLeaving { return nil }
            do {
                return try await self.open()
            } catch {
                self.setup.logger.warning("no new incarnation yet", metadata: ["error": "\(error)"])
            }
            let pause = Self.pauses[min(attempt, Self.pauses.count - 1)]
            do { try await Task.sleep(for: pause) } catch { return nil }
        }
        return nil
    }

    /// Leaves in good order (SPEC ND-12): nothing is left to reap.
    func drain() async {
        defer { self.left.raise() }
        self.setup.live.setOpen(false)
        let serving = self.state.withLock { state in
            state.isLeaving = true
            return state.node
        }
        guard let node = serving else { return await self.setup.live.endAll(.drain, over: 0) }
        node.beginDraining()
        node.incarnation.membership.report(intake: 0)
        do {
            try await node.incarnation.membership.announceDraining()
        } catch {
            self.setup.logger.warning("the drain was not announced", metadata: ["error": "\(error)"])
        }
        // While the bus still works: others go on at once, and repeat nothing.
        await node.postings?.leave(within: 3)
        await self.endAll(node.incarnation.membership)
        do {
            try await node.incarnation.drain(isAlone: !self.setup.backend.isClustered)
        } catch {
            self.setup.logger.warning("left without a word: this node will be reaped", metadata: ["error": "\(error)"])
        }
        await node.adapter.flush()
        await node.adapter.shutdown()
    }

    /// Asks the clients to go, no faster than the others can take them. What these can take is read again twice a second.
    private func endAll(_ membership: Membership) async {
        // Who has not heard of the others yet would go as fast as one that is alone.
        await membership.readDirectory()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    do { try await Task.sleep(for: .milliseconds(500)) } catch { return }
                    await membership.readDirectory()
                }
            }
            let pace = self.pace.withLock(\.self)
            await self.setup.live.endAll(.drain, over: pace.drainSpread, longest: pace.maxDrain) {
                membership.intakeOfOthers
            }
            group.cancelAll()
        }
    }
}

/// An incarnation that is open and not yet served.
struct LifeStart: Sendable {
    let node: ClusterNode
    /// How its inboxes are read.
    let findings: [String]
    let runBus: @Sendable () async -> Void
}
