/// Everything of one incarnation that concerns presence, put together: membership, committer, emitter, reaper, graces.
///
/// Order of life: open the bus → ``register()`` → ``run()`` → (drain: remove connections → ``drain()``). After isolation
/// a new one with a new ID is made (SPEC ND-3).
package final class Incarnation: Sendable {
    package struct Options: Sendable {
        package var lease = LeaseOptions()
        package var directory = DirectoryOptions()
        package var limits = RouteLimits()
        /// nil while connection state recovery is off.
        package var recovery: RouteRecovery?
        package var commit = RouteCommitOptions()
        package var emission = EmissionOptions()
        package var reap = ReapOptions()
        package var graces = GraceOptions()
        /// Where presence handlers run; nil: the global executor.
        package var executor: (any TaskExecutor)?
        /// ``RouteMachine/isHeard``: whether the handler does anything for a user.
        package var isHeard: @Sendable (RouteKey) -> Bool = { _ in true }
        /// ``RouteMachine/linkGrace``.
        package var linkGrace: Int64 = 0

        package init() {}
    }

    /// Where it tells what happened; calls come from its tasks, keep them short.
    package struct Observer: Sendable {
        package var nodeClaimed: @Sendable (NodeID) -> Void = { _ in }
        /// The incarnation is over: drop every socket and cache (ND-3); with `superseded` exit (ND-5).
        package var ended: @Sendable (LeaseMachine.End) -> Void = { _ in }
        /// ``RouteCommitter/Observer/unheard``.
        package var unheard: @Sendable (RouteTransition) -> Void = { _ in }
        /// ``RouteCommitter/Observer/superseded``.
        package var superseded: @Sendable (RouteKey, RouteDocument.Connection) -> Void = { _, _ in }
        /// ``RouteCommitter/Observer/links``.
        package var links: @Sendable (RouteDocument, LinkChanges) -> Void = { _, _ in }
        /// A dead node is being reaped by this one.
        package var reaping: @Sendable (NodeID) -> Void = { _ in }
        /// A node that was reaped is scanned for late writes from here on, as its reaper has gone (ND-4).
        package var watching: @Sendable (NodeID) -> Void = { _ in }
        /// A store failed; everything is repeated.
        package var failed: @Sendable (StoreError) -> Void = { _ in }

        package init() {}
    }

    package let membership: Membership
    package let committer: RouteCommitter
    package let emitter: TransitionEmitter
    private let reaper: Reaper
    private let graces: GraceRunner
    private let clock: any ClusterClock
    private let options: Options
    private let failed: @Sendable (StoreError) -> Void

    package init(
        record: NodeRecord, registry: any NodeRegistry, routes: any RouteStore,
        clock: any ClusterClock = SystemClusterClock(), options: Options = Options(), observer: Observer = Observer(),
        handler: @escaping TransitionEmitter.Handler
    ) {
        let reaper = Reaper(
            node: record.id, store: routes, registry: registry, clock: clock, options: options.reap,
            failed: observer.failed)
        let membership = Membership(
            record: record, registry: registry, clock: clock, lease: options.lease, directory: options.directory,
            observer: MembershipObserver(
                nodeClaimed: observer.nodeClaimed,
                reap: { id, claim in
                    if claim == nil { observer.watching(id) } else { observer.reaping(id) }
                    reaper.add(id, claim: claim)
                },
                ended: observer.ended, failed: observer.failed))
        let emitter = TransitionEmitter(
            node: record.id, view: membership, clock: clock, options: options.emission,
            executor: options.executor, handler: handler)
        let graces = GraceRunner(
            store: routes, view: membership, clock: clock,
            nodes: { membership.snapshot.records.values.count { $0.state < .claimed } }, options: options.graces,
            failed: observer.failed)
        self.committer = RouteCommitter(
            node: record.id, store: routes, view: membership, clock: clock, limits: options.limits,
            recovery: options.recovery, options: options.commit, isHeard: options.isHeard,
            linkGrace: options.linkGrace,
            observer: RouteCommitter.Observer(
                committed: { emitter.offer($0) }, unheard: observer.unheard, superseded: observer.superseded,
                graces: { graces.note($0, due: $1, $2) }, links: observer.links, failed: observer.failed))
        self.reaper = reaper
        self.graces = graces
        self.clock = clock
        self.options = options
        self.failed = observer.failed
        self.membership = membership
        self.emitter = emitter
    }

    /// Routes whose deadlines this node keeps.
    package var keptGraces: Int { self.graces.kept }

    package func register() async throws(StoreError) { try await self.membership.register() }

    /// Works until the incarnation is over or the task is cancelled (`nil`).
    ///
    /// A superseded one commits and emits what it has begun, then leaves the registry: that is its acknowledgement, after
    /// which the newcomer removes its connections (ND-5).
    package func run() async -> LeaseMachine.End? {
        let end = await self.serve()
        if end == .superseded, !Task.isCancelled {
            do {
                try await self.membership.deregister()
            } catch {
                // Then the newcomer waits for the right to claim.
                self.failed(error)
            }
        }
        return end
    }

    private func serve() async -> LeaseMachine.End? {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.committer.run() }
            group.addTask { await self.emitter.run(acknowledging: self.committer) }
            group.addTask { await self.reaper.run(through: self.committer) }
            group.addTask { await self.graces.run(through: self.committer) }
            let end = await self.membership.run()
            if end == .superseded { await self.finish() }
            group.cancelAll()
            self.committer.close()
            self.emitter.close()
            return end
        }
    }

    /// What a superseded incarnation has begun, as long as it might write: its lease is not renewed any more.
    private func finish() async {
        let limit = self.clock.now() + self.options.lease.fence
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.clock.sleep(until: limit)
                self.committer.close()
                self.emitter.close()
            }
            group.addTask {
                await withTaskCancellationHandler {
                    await self.committer.flush()
                    await self.emitter.flush()
                    await self.committer.flush()
                } onCancel: {
                    self.committer.close()
                    self.emitter.close()
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Waits until every change is committed, every handler has run and is acknowledged, then leaves the registry (ND-12).
    /// Call while ``run()`` is running, when no connection is left. Graces that run are finished by the others (LC-8).
    /// - Parameter isAlone: there are no others, and never will be: graces end at once.
    package func drain(isAlone: Bool = false) async throws(StoreError) {
        if isAlone {
            await self.committer.flush()
            self.graces.endAll(through: self.committer)
        }
        await self.committer.flush()
        await self.emitter.flush()
        // Acknowledgements went through the committer.
        await self.committer.flush()
        try await self.membership.deregister()
    }
}
