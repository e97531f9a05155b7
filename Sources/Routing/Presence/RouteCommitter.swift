internal import Synchronization

/// Commits route changes of one incarnation: one queue and a few lanes per shard, over any ``RouteStore`` (SPEC LC-4,
/// ND-14).
///
/// What arrives while a round is in flight goes into the next. Starts no round while the lease does not allow it (ND-3).
package final class RouteCommitter: Sendable {
    package typealias Completion = @Sendable (Result<RouteOutcome, RouteError>) -> Void

    /// Where a committer tells what happened. Calls come from its lanes; keep them short.
    package struct Observer: Sendable {
        /// A document as this node just committed it; per key in the order of the commits.
        package var committed: @Sendable (RouteDocument) -> Void
        /// A transition that is committed, and that no handler waits for.
        package var unheard: @Sendable (RouteTransition) -> Void
        /// This older connection gave way to its endpoint's new one in a write of unknown outcome (LC-6), which no
        /// ``RouteOutcome/connected(superseded:)`` tells: its node, which may be this one, must drop it. May be repeated.
        package var superseded: @Sendable (RouteKey, RouteDocument.Connection) -> Void
        /// What the commit that was told last did to graces, and the route's next deadline (LC-8).
        package var graces: @Sendable (RouteKey, _ due: Int64?, GraceChanges) -> Void
        /// What the commit that was told last did to the Links of its user. Before the connects that it answers.
        package var links: @Sendable (RouteDocument, LinkChanges) -> Void
        /// A round failed; it is repeated.
        package var failed: @Sendable (StoreError) -> Void

        package init(
            committed: @escaping @Sendable (RouteDocument) -> Void = { _ in },
            unheard: @escaping @Sendable (RouteTransition) -> Void = { _ in },
            superseded: @escaping @Sendable (RouteKey, RouteDocument.Connection) -> Void = { _, _ in },
            graces: @escaping @Sendable (RouteKey, _ due: Int64?, GraceChanges) -> Void = { _, _, _ in },
            links: @escaping @Sendable (RouteDocument, LinkChanges) -> Void = { _, _ in },
            failed: @escaping @Sendable (StoreError) -> Void = { _ in }
        ) {
            self.committed = committed
            self.unheard = unheard
            self.superseded = superseded
            self.graces = graces
            self.links = links
            self.failed = failed
        }
    }

    private let node: NodeID
    private let store: any RouteStore
    private let shards: [RouteShardQueue]
    private let options: RouteCommitOptions

    /// - Parameters:
    ///   - recovery: nil while connection state recovery is off.
    ///   - isHeard: ``RouteMachine/isHeard``.
    ///   - linkGrace: ``RouteMachine/linkGrace``.
    ///   - seed: for the random pauses; tests give one.
    package init(
        node: NodeID, store: any RouteStore, view: any ClusterView, clock: any ClusterClock,
        limits: RouteLimits = RouteLimits(), recovery: RouteRecovery? = nil,
        options: RouteCommitOptions = RouteCommitOptions(),
        isHeard: @escaping @Sendable (RouteKey) -> Bool = { _ in true }, linkGrace: Int64 = 0,
        observer: Observer = Observer(), seed: UInt64 = .random(in: .min ... .max)
    ) {
        self.node = node
        self.store = store
        self.options = options
        self.shards = (0..<store.shardCount).map { shard in
            RouteShardQueue(
                shard: shard,
                machine: RouteCommitMachine(
                    machine: RouteMachine(
                        node: node, limits: limits, recovery: recovery, isHeard: isHeard, linkGrace: linkGrace),
                    options: options, seed: seed &+ UInt64(shard)),
                lanes: options.roundsInFlight, store: store, view: view, clock: clock, observer: observer)
        }
    }

    /// Hands in a change. Never blocks, from any thread.
    ///
    /// A connect is given up after 5 s (ND-15) or when its removal comes first; what may still land is then removed by
    /// the committer itself. Everything else is repeated until it is committed, or fails with `closed`.
    /// - Parameters:
    ///   - known: the document as last committed here, to save a read; may be old.
    ///   - wakes: false where the caller has more to hand in at this moment and says ``wake()`` behind it.
    ///   - completion: called once, from a lane or from this call.
    package func submit(
        _ change: RouteChange, key: RouteKey, known: RouteDocument? = nil, wakes: Bool = true,
        completion: @escaping Completion
    ) {
        self.shards[self.store.shard(of: key)].submit(
            change, key: key, known: known, wakes: wakes, completion: completion)
    }

    /// Sets to work on what was handed in without a wake.
    package func wake() { for shard in self.shards { shard.wake() } }

    /// Adds a connection; cancelling the task removes it again.
    /// - Returns: older connections of the same endpoint, whose nodes must be told (LC-6).
    package func connect(
        _ connection: RouteDocument.Connection, key: RouteKey
    ) async throws(RouteError) -> [RouteDocument.Connection] {
        let result = await withTaskCancellationHandler {
            await self.perform(.connect(connection), key: key)
        } onCancel: {
            self.submit(.disconnect(connection.socket, node: connection.node), key: key) { _ in }
        }
        guard case .connected(let superseded) = try result.get() else { return [] }
        return superseded
    }

    /// Removes a connection of this node; returns once that is committed.
    package func disconnect(_ socket: SocketID, key: RouteKey) async throws(RouteError) {
        _ = try await self.perform(.disconnect(socket, node: self.node), key: key).get()
    }

    package func perform(_ change: RouteChange, key: RouteKey) async -> Result<RouteOutcome, RouteError> {
        await withCheckedContinuation { continuation in
            self.submit(change, key: key) { continuation.resume(returning: $0) }
        }
    }

    /// Connects that wait or are in flight, over all shards (ND-15).
    package var pendingConnects: Int { self.shards.reduce(0) { $0 + $1.pendingConnects } }

    /// Who asks for latencies; each hears of every round once.
    package enum LatencyReader: CaseIterable, Sendable {
        /// What the node says it can take (SPEC ND-12).
        case intake
        /// What operators are shown.
        case figures
    }

    /// Nanoseconds of the slowest round of any shard since the last call, those under way included (ND-12). For one reader.
    package func takeLatency() -> Int64 { self.shards.reduce(0) { max($0, $1.takeLatency(for: .intake)) } }

    /// What one shard's queue has to do.
    package struct ShardFigures: Sendable, Equatable {
        package var name: String
        /// Connects that wait or are in flight.
        package var pending: Int
        /// Nanoseconds of the slowest round since the last call, those under way included.
        package var slowest: Int64
    }

    /// By shard. For one reader.
    package func takeFigures() -> [ShardFigures] {
        zip(self.store.shardNames, self.shards).map { name, shard in
            ShardFigures(name: name, pending: shard.pendingConnects, slowest: shard.takeLatency(for: .figures))
        }
    }

    /// Works until the task is cancelled or ``close()`` is called; then everything that waits fails with `closed`.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for shard in self.shards {
                for lane in 0..<self.options.roundsInFlight {
                    group.addTask { await shard.runLane(lane) }
                }
                group.addTask { await shard.runWatch() }
            }
        }
        self.close()
    }

    /// Returns when nothing waits and nothing is in flight (drain, ND-12), or when the committer is closed.
    package func flush() async {
        for shard in self.shards { await shard.flush() }
    }

    /// Ends this incarnation's writing: nothing new is started. ``run()`` returns when the rounds in flight have ended.
    package func close() {
        for shard in self.shards { shard.close() }
    }
}
