import Routing
import Synchronization
import Testing

/// The committer's and emitter's drivers, on the clock of a ``RoutingWorld``.
@Suite("Committer and emitter", .timeLimit(.minutes(1))) struct RouteCommitterTests {
    private static let second = Nanoseconds.seconds(1)

    /// A node whose lease is always fresh, over a store that counts and can hang shard 0.
    private final class Stage: Sendable {
        final class View: ClusterView {
            let standing = LeaseStanding.held
            let claimedNodes: Set<NodeID> = []
            let clusterTime: Int64 = 1_700_000_000_000
        }

        final class Store: RouteStore {
            let inner = InMemoryRouteStore(shardCount: 2, time: { 1_700_000_000_000 })
            let process: RoutingProcess
            let isHung = Atomic<Bool>(false)
            let reads = Atomic<Int>(0)
            let writes = Atomic<Int>(0)

            init(process: RoutingProcess) { self.process = process }

            private func pass(_ shard: Int) async throws(StoreError) {
                if shard == 0, self.isHung.load(ordering: .relaxed) {
                    await self.process.sleep(until: self.process.now() + 20 * RouteCommitterTests.second)
                    throw StoreError(.unknownOutcome, operation: "test", message: "hung")
                }
                await self.process.sleep(until: self.process.now() + 5_000_000)
            }

            var shardCount: Int { 2 }
            func shard(of key: RouteKey) -> Int { self.inner.shard(of: key) }
            func read(_ keys: [RouteKey], shard: Int) async throws(StoreError) -> [RouteKey: RouteDocument] {
                self.reads.add(1, ordering: .relaxed)
                try await self.pass(shard)
                return try await self.inner.read(keys, shard: shard)
            }
            func write(_ writes: [RouteWrite], shard: Int) async throws(StoreError) -> [RouteWriteOutcome] {
                self.writes.add(1, ordering: .relaxed)
                try await self.pass(shard)
                return try await self.inner.write(writes, shard: shard)
            }
            func keys(of node: NodeID, limit: Int) async throws(StoreError) -> [RouteKey] {
                try await self.inner.keys(of: node, limit: limit)
            }
            func keys(dueBefore deadline: Int64, limit: Int) async throws(StoreError) -> [RouteKey] {
                try await self.inner.keys(dueBefore: deadline, limit: limit)
            }
        }

        let world = RoutingWorld()
        let node = NodeID.random()
        let process: RoutingProcess
        let store: Store
        let committer: RouteCommitter
        let emitter: TransitionEmitter
        let isEnded = RoutingFlag()
        private let results = Mutex<[(RouteKey, Result<RouteOutcome, RouteError>)]>([])
        private let task: Task<Void, Never>

        init(handler: @escaping TransitionEmitter.Handler = { _, _ in }) {
            let process = self.world.process()
            let store = Store(process: process)
            let emitter = TransitionEmitter(
                node: self.node, view: View(), clock: process, executor: process, handler: handler)
            let committer = RouteCommitter(
                node: self.node, store: store, view: View(), clock: process,
                observer: RouteCommitter.Observer(committed: { emitter.offer($0) }), seed: 1)
            self.process = process
            self.store = store
            self.emitter = emitter
            self.committer = committer
            let isEnded = self.isEnded
            self.task = Task(executorPreference: process) {
                await withDiscardingTaskGroup { group in
                    group.addTask { await committer.run() }
                    group.addTask { await emitter.run(acknowledging: committer) }
                }
                isEnded.raise()
            }
        }

        var resultCount: Int { self.results.withLock { $0.count } }
        func results(of key: RouteKey) -> [Result<RouteOutcome, RouteError>] {
            self.results.withLock { $0.filter { $0.0 == key }.map(\.1) }
        }

        func connection(client: String = "phone") -> RouteDocument.Connection {
            RouteDocument.Connection(
                socket: .random(on: self.node), node: self.node, client: client, endpoint: Base64URL.random128(),
                since: 0)
        }

        func connect(_ key: RouteKey, client: String = "phone", wakes: Bool = true) {
            self.committer.submit(.connect(self.connection(client: client)), key: key, wakes: wakes) { result in
                self.results.withLock { $0.append((key, result)) }
            }
        }

        func key(onShard shard: Int) -> RouteKey {
            while true {
                let key = RouteKey(domain: "localhost", user: Base64URL.random128())
                if self.store.shard(of: key) == shard { return key }
            }
        }

        func end() {
            self.task.cancel()
            self.world.run(for: RouteCommitterTests.second)
        }
    }

    @Test("LC-4: a storm costs batches, not round trips: 500 connects, one read per shard")
    func storm() {
        let stage = Stage()
        stage.world.run(for: 1)
        for index in 0..<500 { stage.connect(RouteKey(domain: "localhost", user: "user\(index)")) }
        stage.world.run { stage.resultCount == 500 }
        #expect(stage.store.reads.load(ordering: .relaxed) == 2)
        // The acknowledgements of the first handlers may be on their way already.
        #expect(stage.store.writes.load(ordering: .relaxed) <= 4)
        stage.end()
    }

    @Test("LC-4: what one tick of a loop hands in makes one round")
    func oneWake() {
        let stage = Stage()
        let keys = (0..<20).map { _ in stage.key(onShard: 0) }
        stage.world.run(for: 1)
        for key in keys {
            stage.connect(key, wakes: false)
            // Whoever carries it out has all the time to begin.
            stage.world.run(for: 1_000_000)
        }
        #expect(stage.store.reads.load(ordering: .relaxed) == 0)
        stage.committer.wake()
        stage.world.run { stage.resultCount == keys.count }
        #expect(stage.store.reads.load(ordering: .relaxed) == 1)
        stage.end()
    }

    @Test("LC-3, LC-4: the acknowledgement of a first connect needs no second read")
    func acknowledgement() async throws {
        let stage = Stage()
        let key = stage.key(onShard: 0)
        stage.connect(key)
        stage.world.run(for: Self.second)
        #expect(stage.store.reads.load(ordering: .relaxed) == 1)
        #expect(stage.store.writes.load(ordering: .relaxed) == 2)
        #expect(try await stage.store.inner.read([key], shard: 0)[key]?.outbox == [])
        stage.end()
    }

    @Test("ND-14, ND-15: a hung shard stalls its own users only, and even those are told in 5 s")
    func hungShard() {
        let stage = Stage()
        stage.store.isHung.store(true, ordering: .relaxed)
        let (hung, healthy) = (stage.key(onShard: 0), stage.key(onShard: 1))
        stage.connect(hung)
        stage.connect(healthy)
        stage.world.run(for: Self.second)
        #expect(stage.results(of: healthy) == [.success(.connected(superseded: []))])
        #expect(stage.results(of: hung) == [])
        stage.world.run(for: 5 * Self.second)
        #expect(stage.results(of: hung) == [.failure(.deadline)])
        #expect(stage.committer.pendingConnects == 0)
        stage.end()
    }

    @Test("LC-5: a connect whose task is cancelled leaves nothing behind")
    func cancelledConnect() async throws {
        let stage = Stage()
        let key = stage.key(onShard: 0)
        let (committer, connection, isDone) = (stage.committer, stage.connection(), RoutingFlag())
        let task = Task(executorPreference: stage.process) {
            defer { isDone.raise() }
            return try? await committer.connect(connection, key: key)
        }
        stage.world.run(for: 7_000_000)
        task.cancel()
        stage.world.run { isDone.isRaised }
        stage.world.run(for: Self.second)
        #expect(try await stage.store.inner.read([key], shard: 0)[key]?.live == [])
        stage.end()
    }

    @Test("LC-3: a handler that hangs holds up its own user for 10 s, and nobody else")
    func hungHandler() {
        let log = Mutex<[String]>([])
        let (slow, fast) = (RouteKey(domain: "localhost", user: "slow"), RouteKey(domain: "localhost", user: "fast"))
        let release = WakeSignal()
        let stage = Stage { key, transition in
            log.withLock { $0.append("\(key.user) \(transition.kind)") }
            if key == slow, transition.kind == .userOnline { await release.wait() }
        }
        stage.connect(slow)
        stage.connect(fast)
        stage.world.run(for: 9 * Self.second)
        #expect(
            log.withLock { Set($0) } == ["slow userOnline", "fast userOnline", "fast clientOnline"])
        stage.world.run(for: 2 * Self.second)
        #expect(log.withLock { $0.last } == "slow clientOnline")
        release.raise()
        stage.world.run(for: Self.second)
        #expect(stage.emitter.waiting == 0)
        stage.end()
    }

    @Test("ND-3: a handler that never ends, cancelled or not, does not hold up the end of the incarnation")
    func endlessHandler() {
        let endless = Mutex<CheckedContinuation<Void, Never>?>(nil)
        let stage = Stage { _, _ in
            await withCheckedContinuation { continuation in endless.withLock { $0 = continuation } }
        }
        stage.connect(stage.key(onShard: 0))
        stage.world.run { endless.withLock { $0 != nil } }
        stage.end()
        #expect(stage.isEnded.isRaised)
        endless.withLock { $0 }?.resume()
        stage.world.run(for: Self.second)
    }
}
