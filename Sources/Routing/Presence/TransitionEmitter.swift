internal import Synchronization

/// Calls the presence handlers for the transitions that this incarnation owns, then acknowledges them (SPEC LC-3).
///
/// Fed by the committer's ``RouteCommitter/Observer/committed``. A node that is silenced calls nothing (ND-3).
///
/// Each call is a task of its own, outside ``run(acknowledging:)``: a handler is the application's, and one that never ends,
/// not even when cancelled, must not hold up the end of the incarnation, where sockets must go (ND-3). Their number is
/// bounded by ``EmissionOptions``.
package final class TransitionEmitter: Sendable {
    /// The application's handlers for one transition. A throwing one is the caller's to contain (EV-7).
    package typealias Handler = @Sendable (RouteKey, RouteTransition) async -> Void

    private struct State {
        var machine: EmissionMachine
        var calls: [EmissionMachine.CallID: Task<Void, Never>] = [:]
        var isClosed = false
        var flushes: [CheckedContinuation<Void, Never>] = []
    }

    /// How often the lease is looked at while it forbids handlers, and the handlers' time.
    private static let pause = Nanoseconds.milliseconds(100)

    private let view: any ClusterView
    private let clock: any ClusterClock
    private let executor: (any TaskExecutor)?
    private let handler: Handler
    private let state: Mutex<State>
    private let signal = WakeSignal()
    private let watch = WakeSignal()

    /// - Parameter executor: where handlers run; nil: the global one.
    package init(
        node: NodeID, view: any ClusterView, clock: any ClusterClock, options: EmissionOptions = EmissionOptions(),
        executor: (any TaskExecutor)? = nil, handler: @escaping Handler
    ) {
        self.view = view
        self.clock = clock
        self.executor = executor
        self.handler = handler
        self.state = Mutex(State(machine: EmissionMachine(node: node, options: options)))
    }

    /// Transitions that wait for their handlers.
    package var waiting: Int { self.state.withLock { $0.machine.waiting } }

    /// A document as the committer committed it.
    package func offer(_ document: RouteDocument) {
        let isNew = self.state.withLock { state in
            guard !state.isClosed else { return false }
            state.machine.offer(document)
            return !state.machine.isIdle
        }
        if isNew {
            self.signal.raise()
            self.watch.raise()
        }
    }

    /// Works until the task is cancelled or ``close()`` is called; handlers still running are then cancelled.
    package func run(acknowledging committer: RouteCommitter) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.runWatch() }
            await self.runCalls(acknowledging: committer)
            group.cancelAll()
        }
        self.close()
    }

    private func runCalls(acknowledging committer: RouteCommitter) async {
        while !Task.isCancelled {
            let now = self.clock.now()
            let mayCall = self.view.standing.mayCallHandlers
            let (actions, isClosed) = self.state.withLock { state -> ([EmissionMachine.Action], Bool) in
                state.isClosed ? ([], true) : (state.machine.next(now: now, mayCall: mayCall), false)
            }
            if isClosed { break }
            for action in actions {
                switch action {
                case .call(let id, let key, let transition): self.start(id, key, transition)
                case .acknowledge(let key, let sequence, let known):
                    committer.submit(.acknowledge(through: sequence), key: key, known: known) { result in
                        // A failure means that the incarnation is over; its reaper repeats what is not acknowledged.
                        if case .success = result { self.update { $0.acknowledged(key) } }
                    }
                }
            }
            await self.signal.wait()
        }
    }

    /// Looks at the time and at the lease now and then while there is something to do: a timer for each handler would
    /// cost more than most handlers.
    private func runWatch() async {
        while !Task.isCancelled {
            let (isIdle, isClosed) = self.state.withLock { ($0.machine.isIdle, $0.isClosed) }
            if isClosed { return }
            if isIdle {
                await self.watch.wait()
            } else {
                await self.clock.sleep(until: self.clock.now() + Self.pause)
                self.signal.raise()
            }
        }
    }

    /// Returns when everything that this node owns has run and is acknowledged (drain, ND-12), or after ``close()``.
    package func flush() async {
        await withCheckedContinuation { continuation in
            let isIdle = self.state.withLock { state -> Bool in
                if state.machine.isIdle || state.isClosed { return true }
                state.flushes.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Starts no further handler, and cancels those that run. What is not acknowledged is left to the reaper.
    package func close() {
        let (calls, flushes) = self.state.withLock {
            state -> ([Task<Void, Never>], [CheckedContinuation<Void, Never>]) in
            state.isClosed = true
            defer {
                state.calls = [:]
                state.flushes = []
            }
            return (Array(state.calls.values), state.flushes)
        }
        for call in calls { call.cancel() }
        for flush in flushes { flush.resume() }
        self.signal.raise()
        self.watch.raise()
    }

    private func start(_ id: EmissionMachine.CallID, _ key: RouteKey, _ transition: RouteTransition) {
        // The lock is held until the task is noted: it can't end before.
        self.state.withLock { state in
            guard !state.isClosed else { return }
            state.calls[id] = Task(executorPreference: self.executor) { await self.call(id, key, transition) }
        }
    }

    private func call(_ id: EmissionMachine.CallID, _ key: RouteKey, _ transition: RouteTransition) async {
        // The task may have been queued for a while: the lease is asked again, as near to the call as can be.
        while !self.view.standing.mayCallHandlers {
            if Task.isCancelled || self.view.standing.isIsolated { return }
            await self.clock.sleep(until: self.clock.now() + Self.pause)
        }
        if Task.isCancelled { return }
        await self.handler(key, transition)
        self.update(ending: id) { $0.finished(id) }
    }

    private func update(ending id: EmissionMachine.CallID? = nil, _ body: (inout EmissionMachine) -> Void) {
        let flushes = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            if let id { state.calls[id] = nil }
            body(&state.machine)
            guard state.machine.isIdle else { return [] }
            defer { state.flushes = [] }
            return state.flushes
        }
        for flush in flushes { flush.resume() }
        self.signal.raise()
    }
}
