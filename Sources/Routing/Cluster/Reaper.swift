internal import Synchronization

/// Removes what dead nodes left (SPEC ND-4): carries out a ``ReapMachine`` over the stores and the committer.
package final class Reaper: Sendable {
    private let node: NodeID
    private let store: any RouteStore
    private let registry: any NodeRegistry
    private let clock: any ClusterClock
    private let options: ReapOptions
    private let machine: Mutex<ReapMachine>
    private let signal = WakeSignal()
    private let failed: @Sendable (StoreError) -> Void

    /// - Parameter failed: told about failures; everything is repeated.
    package init(
        node: NodeID, store: any RouteStore, registry: any NodeRegistry, clock: any ClusterClock,
        options: ReapOptions = ReapOptions(), failed: @escaping @Sendable (StoreError) -> Void = { _ in }
    ) {
        self.node = node
        self.store = store
        self.registry = registry
        self.clock = clock
        self.options = options
        self.failed = failed
        self.machine = Mutex(ReapMachine(options: options))
    }

    /// - Parameter claim: as in ``DirectoryMachine/Event/reap(_:claim:)``.
    package func add(_ id: NodeID, claim: Int64?) {
        let now = self.clock.now()
        self.update { $0.add(id, claim: claim, at: now) }
    }

    /// Works until the task is cancelled.
    package func run(through committer: RouteCommitter) async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let now = self.clock.now()
                let (actions, deadline) = self.machine.withLock { ($0.due(at: now), $0.nextDue) }
                for action in actions { group.addTask { await self.perform(action, committer) } }
                await self.signal.wait(until: deadline, clock: self.clock)
            }
            group.cancelAll()
        }
    }

    private func perform(_ action: ReapMachine.Action, _ committer: RouteCommitter) async {
        switch action {
        case .renewClaim(let id, let claimBeat):
            let isHeld = await self.attempt { () async throws(StoreError) in
                try await self.registry.renewClaim(id, claimBeat: claimBeat, by: self.node)
            }
            self.update { $0.claimRenewed(id, isHeld: isHeld) }
        case .scan(let id):
            let keys = await self.attempt { () async throws(StoreError) in
                try await self.store.keys(of: id, limit: self.options.page)
            }
            let now = self.clock.now()
            let next = self.machine.withLock { $0.scanned(id, keys: keys, at: now) }
            if let next { await self.perform(next, committer) }
            self.signal.raise()
        case .remove(let id, let keys):
            let isDone = await self.remove(id, keys, committer)
            let now = self.clock.now()
            self.update { $0.removed(id, isDone: isDone, at: now) }
        case .tombstone(let id):
            let result: Void? = await self.attempt { () async throws(StoreError) in
                try await self.registry.advance(id, to: .gone)
            }
            let now = self.clock.now()
            self.update { $0.tombstoned(id, isDone: result != nil, at: now) }
        }
    }

    private func remove(_ id: NodeID, _ keys: [RouteKey], _ committer: RouteCommitter) async -> Bool {
        await withCheckedContinuation { continuation in
            let left = RemovalCount(keys.count) { continuation.resume(returning: $0) }
            for key in keys {
                committer.submit(.reap(id), key: key) { result in
                    if case .success = result { left.report(true) } else { left.report(false) }
                }
            }
        }
    }

    private func attempt<R: Sendable>(_ body: () async throws(StoreError) -> R) async -> R? {
        do {
            return try await body()
        } catch {
            self.failed(error)
            return nil
        }
    }

    private func update(_ body: (inout ReapMachine) -> Void) {
        self.machine.withLock { body(&$0) }
        self.signal.raise()
    }
}

/// Completes once, with the last of its parts.
private final class RemovalCount: Sendable {
    private let state: Mutex<(left: Int, isDone: Bool)>
    private let completion: @Sendable (Bool) -> Void

    init(_ count: Int, completion: @escaping @Sendable (Bool) -> Void) {
        self.state = Mutex((count, true))
        self.completion = completion
    }

    func report(_ isDone: Bool) {
        let result = self.state.withLock { state -> Bool? in
            state.left -= 1
            state.isDone = state.isDone && isDone
            return state.left == 0 ? state.isDone : nil
        }
        if let result { self.completion(result) }
    }
}
