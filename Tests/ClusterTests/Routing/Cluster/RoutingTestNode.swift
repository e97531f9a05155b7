import Routing
import Synchronization
import Testing

/// What the nodes of a test share: the stores, and what was emitted.
final class RoutingTestCluster: Sendable {
    struct Emission: Sendable, Equatable {
        let time: Int64
        let node: NodeID
        let key: RouteKey
        let transition: RouteTransition
    }

    let world = RoutingWorld()
    let routes: InMemoryRouteStore
    let registry: InMemoryNodeRegistry
    private let log = Mutex<[Emission]>([])
    private let random: Mutex<SplitMix64>
    /// Until when MongoDB answers nothing (an election), for all.
    private let outageEnd = Atomic<Int64>(0)

    init(seed: UInt64 = 1, shards: Int = 2) {
        let world = self.world
        let time: @Sendable () -> Int64 = { 1_700_000_000_000 + world.now / 1_000_000 }
        self.routes = InMemoryRouteStore(shardCount: shards, time: time)
        self.registry = InMemoryNodeRegistry(time: time)
        self.random = Mutex(SplitMix64(seed: seed))
    }

    var emissions: [Emission] { self.log.withLock { $0 } }

    func kinds(of key: RouteKey) -> [RouteTransition.Kind] {
        self.emissions.filter { $0.key == key }.map(\.transition.kind)
    }

    func emit(_ emission: Emission) { self.log.withLock { $0.append(emission) } }

    func random(_ range: ClosedRange<Int64>) -> Int64 {
        self.random.withLock { Int64.random(in: range, using: &$0) }
    }

    func setOutage(for duration: Int64) { self.outageEnd.store(self.world.now + duration, ordering: .relaxed) }

    var isOut: Bool { self.world.now < self.outageEnd.load(ordering: .relaxed) }

    func stored(_ key: RouteKey) async throws -> RouteDocument? { try await self.routes.read([key], shard: 0)[key] }

    func start(
        name: String? = nil, address: String? = nil, graces: GraceOptions = GraceOptions()
    ) -> RoutingTestNode {
        let node = RoutingTestNode(cluster: self, name: name, address: address, graces: graces)
        self.world.run { node.isRegistered || node.end != nil }
        return node
    }
}

/// One process with an ``Incarnation`` over the shared stores.
final class RoutingTestNode: Sendable {
    private struct State {
        var isRegistered = false
        var end: LeaseMachine.End?
        var failure: String?
        var results: [SocketID: Result<RouteOutcome, RouteError>] = [:]
    }

    let id: NodeID
    let process: RoutingProcess
    let incarnation: Incarnation
    private let link: RoutingTestLink
    private let cluster: RoutingTestCluster
    private let state: SharedState
    private let task: Task<Void, Never>

    private final class SharedState: Sendable { let value = Mutex(State()) }

    init(cluster: RoutingTestCluster, name: String?, address: String?, graces: GraceOptions) {
        let id = NodeID.random()
        let process = cluster.world.process()
        let link = RoutingTestLink(cluster: cluster, process: process)
        let state = SharedState()
        var observer = Incarnation.Observer()
        var options = Incarnation.Options()
        options.executor = process
        options.graces = graces
        observer.ended = { end in state.value.withLock { $0.end = end } }
        let incarnation = Incarnation(
            record: NodeRecord(id: id, name: name, address: address, started: 0, homes: []), registry: link,
            routes: link, clock: process, options: options, observer: observer
        ) { key, transition in
            cluster.emit(.init(time: cluster.world.now, node: id, key: key, transition: transition))
        }
        self.id = id
        self.process = process
        self.incarnation = incarnation
        self.link = link
        self.cluster = cluster
        self.state = state
        self.task = Task(executorPreference: process) {
            do {
                try await incarnation.register()
                state.value.withLock { $0.isRegistered = true }
                _ = await incarnation.run()
            } catch {
                Issue.record("register: \(error)")
            }
        }
    }

    var isRegistered: Bool { self.state.value.withLock { $0.isRegistered } }
    var end: LeaseMachine.End? { self.state.value.withLock { $0.end } }
    var view: any ClusterView { self.incarnation.membership }

    func result(of socket: SocketID) -> Result<RouteOutcome, RouteError>? {
        self.state.value.withLock { $0.results[socket] }
    }

    /// The process ends without a word.
    func crash() {
        self.link.cut()
        self.task.cancel()
    }

    /// Leaves in good order.
    func drain(isAlone: Bool = false) {
        let incarnation = self.incarnation
        let task = Task(executorPreference: self.process) { try await incarnation.drain(isAlone: isAlone) }
        let isDone = RoutingFlag()
        Task(executorPreference: self.process) {
            if case .failure(let error) = await task.result { Issue.record("drain: \(error)") }
            isDone.raise()
        }
        self.cluster.world.run { isDone.isRaised }
        self.task.cancel()
    }

    @discardableResult
    func connect(_ key: RouteKey, client: String = "phone", endpoint: String? = nil) -> SocketID {
        let socket = SocketID.random(on: self.id)
        let connection = RouteDocument.Connection(
            socket: socket, node: self.id, client: client, endpoint: endpoint ?? socket.text, since: 0)
        let state = self.state
        self.incarnation.committer.submit(.connect(connection), key: key) { result in
            state.value.withLock { $0.results[socket] = result }
        }
        return socket
    }

    func disconnect(_ socket: SocketID, _ key: RouteKey, grace: Int64 = 0) {
        self.incarnation.committer.submit(.disconnect(socket, node: self.id, grace: grace), key: key) { _ in }
    }
}

final class RoutingFlag: Sendable {
    private let value = Atomic<Bool>(false)
    var isRaised: Bool { self.value.load(ordering: .relaxed) }
    func raise() { self.value.store(true, ordering: .relaxed) }
}

/// The way of one process to the shared stores: takes some milliseconds, can be cut, and fails during an outage.
final class RoutingTestLink: RouteStore, NodeRegistry {
    private let cluster: RoutingTestCluster
    private let process: RoutingProcess
    private let isCut = Atomic<Bool>(false)

    init(cluster: RoutingTestCluster, process: RoutingProcess) {
        self.cluster = cluster
        self.process = process
    }

    func cut() { self.isCut.store(true, ordering: .relaxed) }

    private func pass<R>(_ body: () async throws(StoreError) -> R) async throws(StoreError) -> R {
        await self.process.sleep(until: self.process.now() + self.cluster.random(1...6) * 1_000_000)
        if self.isCut.load(ordering: .relaxed) || self.cluster.isOut {
            throw StoreError(.unavailable, operation: "test", message: "cut")
        }
        let result = try await body()
        await self.process.sleep(until: self.process.now() + self.cluster.random(1...6) * 1_000_000)
        if self.isCut.load(ordering: .relaxed) {
            throw StoreError(.unknownOutcome, operation: "test", message: "cut")
        }
        return result
    }

    var shardCount: Int { self.cluster.routes.shardCount }
    func shard(of key: RouteKey) -> Int { self.cluster.routes.shard(of: key) }
    func read(_ keys: [RouteKey], shard: Int) async throws(StoreError) -> [RouteKey: RouteDocument] {
        try await self.pass { () async throws(StoreError) in try await self.cluster.routes.read(keys, shard: shard) }
    }
    func write(_ writes: [RouteWrite], shard: Int) async throws(StoreError) -> [RouteWriteOutcome] {
        try await self.pass { () async throws(StoreError) in try await self.cluster.routes.write(writes, shard: shard) }
    }
    func keys(of node: NodeID, limit: Int) async throws(StoreError) -> [RouteKey] {
        try await self.pass { () async throws(StoreError) in
            try await self.cluster.routes.keys(of: node, limit: limit)
        }
    }
    func keys(dueBefore deadline: Int64, limit: Int) async throws(StoreError) -> [RouteKey] {
        try await self.pass { () async throws(StoreError) in
            try await self.cluster.routes.keys(dueBefore: deadline, limit: limit)
        }
    }
    func register(_ record: NodeRecord) async throws(StoreError) {
        try await self.pass { () async throws(StoreError) in try await self.cluster.registry.register(record) }
    }
    func renew(_ id: NodeID, beat: Int64, intake: Int?) async throws(StoreError) -> Renewal {
        try await self.pass { () async throws(StoreError) in
            try await self.cluster.registry.renew(id, beat: beat, intake: intake)
        }
    }
    func list() async throws(StoreError) -> DirectoryReading {
        try await self.pass { () async throws(StoreError) in try await self.cluster.registry.list() }
    }
    func find(_ id: NodeID) async throws(StoreError) -> NodeRecord? {
        try await self.pass { () async throws(StoreError) in try await self.cluster.registry.find(id) }
    }
    func suspect(_ id: NodeID, beat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool {
        try await self.pass { () async throws(StoreError) in
            try await self.cluster.registry.suspect(id, beat: beat, by: reaper)
        }
    }
    func claim(_ id: NodeID, expecting record: NodeRecord, by reaper: NodeID) async throws(StoreError) -> Bool {
        try await self.pass { () async throws(StoreError) in
            try await self.cluster.registry.claim(id, expecting: record, by: reaper)
        }
    }
    func renewClaim(_ id: NodeID, claimBeat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool {
        try await self.pass { () async throws(StoreError) in
            try await self.cluster.registry.renewClaim(id, claimBeat: claimBeat, by: reaper)
        }
    }
    func advance(_ id: NodeID, to state: NodeRecord.State) async throws(StoreError) {
        try await self.pass { () async throws(StoreError) in try await self.cluster.registry.advance(id, to: state) }
    }
}
