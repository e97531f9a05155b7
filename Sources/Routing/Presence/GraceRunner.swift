internal import Synchronization

/// Finishes graces (SPEC LC-8): those that this node has started, at their time, and now and then what others have left
/// overdue. Carries out a ``GraceKeeper`` and a ``GraceSweep`` over the committer and the store.
package final class GraceRunner: Sendable {
    private struct State {
        var keeper: GraceKeeper
        var sweep: GraceSweep
    }

    private struct Step {
        var settles: [RouteKey]
        /// How many overdue routes to ask for; nil: none now.
        var sweeps: Int?
        var wake: Int64
    }

    /// How often the lease is looked at while it forbids writing.
    private static let fencedPause = Nanoseconds.milliseconds(250)
    /// The longest sleep: the primary's clock is measured anew every few seconds.
    private static let longestPause = Nanoseconds.seconds(1)

    private let store: any RouteStore
    private let view: any ClusterView
    private let clock: any ClusterClock
    private let nodes: @Sendable () -> Int
    private let options: GraceOptions
    private let failed: @Sendable (StoreError) -> Void
    private let metrics = GraceMetrics()
    private let state: Mutex<State>
    private let signal = WakeSignal()

    /// - Parameters:
    ///   - nodes: how many are alive, this one among them.
    ///   - failed: told about failures; everything is repeated.
    package init(
        store: any RouteStore, view: any ClusterView, clock: any ClusterClock, nodes: @escaping @Sendable () -> Int,
        options: GraceOptions = GraceOptions(), seed: UInt64 = .random(in: .min ... .max),
        failed: @escaping @Sendable (StoreError) -> Void = { _ in }
    ) {
        self.store = store
        self.view = view
        self.clock = clock
        self.nodes = nodes
        self.options = options
        self.failed = failed
        self.state = Mutex(
            State(keeper: GraceKeeper(options: options), sweep: GraceSweep(options: options, seed: seed)))
    }

    /// Routes whose deadlines this node keeps.
    package var kept: Int { self.state.withLock { $0.keeper.count } }

    /// ``RouteCommitter/Observer/graces``.
    package func note(_ key: RouteKey, due: Int64?, _ changes: GraceChanges) {
        self.metrics.committed(changes)
        let (isKept, isSooner) = self.state.withLock { state -> (Bool, Bool) in
            let next = state.keeper.nextDue ?? .max
            let isKept = state.keeper.note(key, due: due, isNew: changes.isKept)
            return (isKept, (state.keeper.nextDue ?? .max) < next)
        }
        if !isKept { self.metrics.isUnkept() }
        if isSooner { self.signal.raise() }
    }

    /// Works until the task is cancelled.
    package func run(through committer: RouteCommitter) async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let step = self.next()
                for key in step.settles {
                    committer.submit(.settle(isOverdue: false), key: key) { self.settled(key, $0) }
                }
                if let limit = step.sweeps { group.addTask { await self.sweep(limit, committer) } }
                await self.signal.wait(until: step.wake, clock: self.clock)
            }
            group.cancelAll()
        }
    }

    /// Ends every grace that this node keeps, at once: nobody else will.
    package func endAll(through committer: RouteCommitter) {
        for key in self.state.withLock({ $0.keeper.removeAll() }) {
            committer.submit(.forget(client: nil), key: key) { _ in }
        }
    }

    private func next() -> Step {
        let (now, clusterTime, nodes) = (self.clock.now(), self.view.clusterTime, self.nodes())
        guard self.view.standing.mayWriteRoutes else {
            return Step(settles: [], sweeps: nil, wake: now + Self.fencedPause)
        }
        let (step, kept) = self.state.withLock { state -> (Step, Int) in
            let settles = state.keeper.take(at: clusterTime)
            let sweeps = state.sweep.due(at: now, nodes: nodes) ? state.sweep.room : nil
            var wake = min(now + Self.longestPause, state.sweep.nextDue ?? .max)
            if let due = state.keeper.nextDue {
                wake = min(wake, now + Nanoseconds.milliseconds(min(due - clusterTime, 1_000)))
            }
            return (Step(settles: settles, sweeps: sweeps, wake: wake), state.keeper.count)
        }
        self.metrics.keeps(kept)
        return step
    }

    private func settled(_ key: RouteKey, _ result: Result<RouteOutcome, RouteError>) {
        // A failure means that the incarnation is over: the others will find what it leaves.
        var due: Int64?
        if case .success(.settled(let next)) = result { due = next }
        let isSooner = self.state.withLock { state -> Bool in
            let next = state.keeper.nextDue ?? .max
            state.keeper.settled(key, due: due)
            return (state.keeper.nextDue ?? .max) < next
        }
        if isSooner { self.signal.raise() }
    }

    private func sweep(_ limit: Int, _ committer: RouteCommitter) async {
        var keys: [RouteKey]?
        do throws(StoreError) {
            keys = try await self.store.keys(dueBefore: self.view.clusterTime - self.options.overdue, limit: limit)
        } catch {
            self.metrics.sweepFailed()
            self.failed(error)
        }
        let found = keys
        for key in self.state.withLock({ $0.sweep.found(found, limit: limit) }) {
            committer.submit(.settle(isOverdue: true), key: key) { _ in
                let now = self.clock.now()
                self.state.withLock { $0.sweep.settled(key, at: now) }
                self.signal.raise()
            }
        }
        self.signal.raise()
    }
}
