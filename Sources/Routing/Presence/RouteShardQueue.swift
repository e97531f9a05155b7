internal import Synchronization

/// The operations of one shard: the machine behind a lock, and the lanes that carry out its rounds.
final class RouteShardQueue: Sendable {
    private struct State {
        var machine: RouteCommitMachine
        var completions: [RouteCommitMachine.OperationID: RouteCommitter.Completion] = [:]
        var isClosed = false
        var flushes: [CheckedContinuation<Void, Never>] = []
        /// When the round of each lane was started; nil while it has none.
        var started: [Int64?]
        /// Lanes that wait for something to do, or were just woken for it.
        var resting: Set<Int> = []
        /// Something was handed in that nobody was woken for yet.
        var owesWake = false
        /// Of the rounds since the reader's last call of ``RouteShardQueue/takeLatency(for:)``.
        var slowest: [RouteCommitter.LatencyReader: Int64] = [:]
    }

    private typealias Call = (completion: RouteCommitter.Completion, result: Result<RouteOutcome, RouteError>)

    private enum Next {
        case round(RouteCommitMachine.Round)
        case wait(until: Int64?)
        case stop
    }

    /// How often the lease is looked at while it forbids writing.
    private static let fencedPause = Nanoseconds.milliseconds(100)
    /// How often overdue connects are looked for while anything waits.
    private static let watchPause = Nanoseconds.milliseconds(250)

    private let shard: Int
    private let store: any RouteStore
    private let view: any ClusterView
    private let clock: any ClusterClock
    private let observer: RouteCommitter.Observer
    private let state: Mutex<State>
    private let signals: [WakeSignal]
    private let watch = WakeSignal()

    init(
        shard: Int, machine: RouteCommitMachine, lanes: Int, store: any RouteStore, view: any ClusterView,
        clock: any ClusterClock, observer: RouteCommitter.Observer
    ) {
        self.shard = shard
        self.store = store
        self.view = view
        self.clock = clock
        self.observer = observer
        self.state = Mutex(State(machine: machine, started: Array(repeating: nil, count: lanes)))
        self.signals = (0..<lanes).map { _ in WakeSignal() }
    }

    var pendingConnects: Int { self.state.withLock { $0.machine.pendingConnects } }

    /// Nanoseconds of the slowest round since the reader's last call, those under way included.
    func takeLatency(for reader: RouteCommitter.LatencyReader) -> Int64 {
        let now = self.clock.now()
        return self.state.withLock { state in
            let running = state.started.reduce(0) { max($0, $1.map { now - $0 } ?? 0) }
            return max(state.slowest.removeValue(forKey: reader) ?? 0, running)
        }
    }

    /// - Parameter wakes: false: whoever calls says ``wake()`` soon.
    func submit(
        _ change: RouteChange, key: RouteKey, known: RouteDocument?, wakes: Bool,
        completion: @escaping RouteCommitter.Completion
    ) {
        let now = self.clock.now()
        let (refusal, calls) = self.state.withLock { state -> (RouteError?, [Call]) in
            if state.isClosed { return (.closed, []) }
            guard let (id, settlement) = state.machine.add(change, key: key, known: known, now: now) else {
                return (.busy, [])
            }
            state.completions[id] = completion
            state.owesWake = true
            return (nil, Self.take(settlement, &state))
        }
        if let refusal { return completion(.failure(refusal)) }
        for call in calls { call.completion(call.result) }
        if wakes { self.wake() }
    }

    /// Wakes whoever carries out what was handed in.
    func wake() {
        let (isOwed, lane) = self.state.withLock { state -> (Bool, Int?) in
            guard state.owesWake else { return (false, nil) }
            state.owesWake = false
            return (true, state.resting.min())
        }
        guard isOwed else { return }
        // One is enough, and until it runs it is still the first: what comes meanwhile goes into its round.
        if let lane { self.signals[lane].raise() }
        self.watch.raise()
    }

    /// Carries out rounds, one at a time.
    func runLane(_ lane: Int) async {
        while true {
            switch self.next(lane) {
            case .round(let round):
                let started = self.clock.now()
                self.state.withLock { $0.started[lane] = started }
                await self.perform(round)
                let took = self.clock.now() - started
                self.state.withLock { state in
                    state.started[lane] = nil
                    for reader in RouteCommitter.LatencyReader.allCases {
                        state.slowest[reader] = max(state.slowest[reader] ?? 0, took)
                    }
                }
            case .wait(let deadline): await self.signals[lane].wait(until: deadline, clock: self.clock)
            case .stop: return
            }
        }
    }

    /// Fails overdue connects in time even when every lane waits for a hung store.
    func runWatch() async {
        while !Task.isCancelled {
            let (isIdle, isClosed) = self.state.withLock { ($0.machine.isIdle, $0.isClosed) }
            if isClosed { return }
            if isIdle {
                await self.watch.wait()
                continue
            }
            await self.clock.sleep(until: self.clock.now() + Self.watchPause)
            let now = self.clock.now()
            self.settle { $0.expire(now: now) }
        }
    }

    func flush() async {
        await withCheckedContinuation { continuation in
            let isIdle = self.state.withLock { state -> Bool in
                if state.machine.isIdle || state.isClosed { return true }
                state.flushes.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    func close() {
        let isFirst = self.state.withLock { state -> Bool in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        self.settle { $0.close() }
        for signal in self.signals { signal.raise() }
        self.watch.raise()
    }

    private func next(_ lane: Int) -> Next {
        if Task.isCancelled { return .stop }
        let mayWrite = self.view.standing.mayWriteRoutes
        let now = self.clock.now()
        let (next, other) = self.state.withLock { state -> (Next, Int?) in
            if state.isClosed { return (.stop, nil) }
            state.resting.insert(lane)
            if !mayWrite { return (.wait(until: state.machine.isIdle ? nil : now + Self.fencedPause), nil) }
            guard let round = state.machine.start(now: now) else {
                return (.wait(until: state.machine.nextStart), nil)
            }
            state.resting.remove(lane)
            let isMore = state.machine.isReady || state.machine.nextStart != nil
            return (.round(round), isMore ? state.resting.min() : nil)
        }
        // More than one round takes, or what is due while this one is under way.
        if let other { self.signals[other].raise() }
        return next
    }

    private func perform(_ round: RouteCommitMachine.Round) async {
        defer {
            // What waited for a key of this round goes into the lane's next one.
            let flushes = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
                state.machine.release(round)
                guard state.machine.isIdle else { return [] }
                defer { state.flushes = [] }
                return state.flushes
            }
            for flush in flushes { flush.resume() }
        }
        do throws(StoreError) {
            var documents: [RouteKey: RouteDocument] = [:]
            if !round.reads.isEmpty { documents = try await self.store.read(round.reads, shard: self.shard) }
            guard self.view.standing.mayWriteRoutes else {
                let now = self.clock.now()
                return self.settle { $0.postpone(round, now: now) }
            }
            let (now, clusterTime, claimed) = (self.clock.now(), self.view.clusterTime, self.view.claimedNodes)
            let writes = self.state.withLock { state in
                state.machine.prepare(
                    round, documents: documents, now: now, clusterTime: clusterTime, claimed: claimed)
            }
            let outcomes = writes.isEmpty ? [] : try await self.store.write(writes, shard: self.shard)
            for case .failed(let error) in outcomes { self.observer.failed(error) }
            let end = self.clock.now()
            self.settle { $0.finish(round, outcomes: outcomes, now: end) }
        } catch {
            self.observer.failed(error)
            let now = self.clock.now()
            self.settle { $0.fail(round, error, now: now) }
        }
    }

    /// Runs a step of the machine and passes on what it brought: commits first, as ``RouteCommitter/Observer`` promises
    /// them before the connects that they answer.
    private func settle(_ body: (inout RouteCommitMachine) -> RouteCommitMachine.Settlement) {
        let (settlement, calls, flushes) = self.state.withLock {
            state -> (RouteCommitMachine.Settlement, [Call], [CheckedContinuation<Void, Never>]) in
            let settlement = body(&state.machine)
            let calls = Self.take(settlement, &state)
            guard state.machine.isIdle else { return (settlement, calls, []) }
            defer { state.flushes = [] }
            return (settlement, calls, state.flushes)
        }
        for document in settlement.commits { self.observer.committed(document) }
        for transition in settlement.unheard { self.observer.unheard(transition) }
        for (key, due, changes) in settlement.graces { self.observer.graces(key, due, changes) }
        for (document, changes) in settlement.links { self.observer.links(document, changes) }
        for (key, connection) in settlement.superseded { self.observer.superseded(key, connection) }
        for call in calls { call.completion(call.result) }
        for flush in flushes { flush.resume() }
    }

    private static func take(_ settlement: RouteCommitMachine.Settlement, _ state: inout State) -> [Call] {
        settlement.results.compactMap { id, result in
            state.completions.removeValue(forKey: id).map { ($0, result) }
        }
    }
}
