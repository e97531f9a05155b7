import Dispatch
import Logging
import Metrics
import NIOCore
import Routing
import Synchronization
import Wire

/// Runs an ``OutboxMachine``: threads that insert, a few per shard, and one that lets time pass (SPEC ND-6, ND-7, ND-14).
final class BusOutbox: Sendable {
    typealias Completion = @Sendable (PublishError?) -> Void
    typealias Machine = OutboxMachine<Completion>

    typealias Place = (shard: BusTopology.Shard, pool: MongoPool)

    /// The inserters of one lane. `idle` counts those that wait, less the wake-ups that are on their way.
    private struct Inserters {
        var idle = 0
        var started = 0
        let wakeUp = DispatchSemaphore(value: 0)
    }

    private struct State {
        var machine: Machine
        /// Where the homes are that anybody was sent to, or may be.
        var shards: [String: Place]
        var inserters: [Inserters] = []
        var flushers: [CheckedContinuation<Void, Never>] = []
        /// Batches of completions that have left the machine and are still being called.
        var completing = 0
        var isStopped = false

        /// Every message that was handed in has its fate, and has been told.
        var isFlushed: Bool { self.machine.pending == 0 && self.completing == 0 }

        /// To be called for what a call of the machine returned, before the lock is given up.
        mutating func owe(_ completions: [OutboxCompletion<Completion>]) -> [OutboxCompletion<Completion>] {
            if !completions.isEmpty { self.completing += 1 }
            return completions
        }
    }

    private enum Wake {
        case none
        case start(Int)
        case signal(DispatchSemaphore)
    }

    private let node: NodeID
    private let nodeText: String
    private let limits: OutboxLimits
    private let formats: Formats
    private let topology: BusTopology
    private let directory: any NodeDirectory
    private let threads: BusThreads
    private let tracer: Tracer?
    private let metrics: BusMetrics
    private let logger: Logger
    private let state: Mutex<State>
    private let stopped = DispatchSemaphore(value: 0)

    init(
        node: NodeID, limits: OutboxLimits, formats: Formats, topology: BusTopology, shards: [String: Place],
        directory: any NodeDirectory, threads: BusThreads, tracer: Tracer?, metrics: BusMetrics, logger: Logger
    ) {
        self.node = node
        self.nodeText = node.text
        self.limits = limits
        self.formats = formats
        self.topology = topology
        self.directory = directory
        self.threads = threads
        self.tracer = tracer
        self.metrics = metrics
        self.logger = logger
        self.state = Mutex(State(machine: Machine(node: node, limits: limits), shards: shards))
        threads.start("bus-clock") { self.runClock() }
    }

    // MARK: Any thread

    func publish(_ message: BusMessage, to target: NodeRecord, completion: @escaping Completion) {
        do throws(EnvelopeError) {
            _ = try MessageBatch.size(of: message)
        } catch {
            return self.refuse(message.kind, .tooLarge, completion)
        }
        let now = BusClock.now()
        let (acceptance, wake) = self.state.withLock { state -> (Machine.Acceptance, Wake) in
            guard target.homes.allSatisfy({ self.knows($0, &state) }) else {
                // A home that this node's topology does not have: it cannot be reached from here.
                return (.refused(.targetGone), .none)
            }
            let acceptance = state.machine.enqueue(message, receipt: completion, to: target, now: now)
            guard case .accepted(let lane?) = acceptance else { return (acceptance, .none) }
            return (acceptance, Self.wake(lane, &state, limit: self.limits.insertsInFlight))
        }
        switch acceptance {
        case .accepted: self.perform(wake)
        case .refused(let error): self.refuse(message.kind, error, completion)
        }
    }

    /// Whether the home can be reached. Where all are reached through the same routers, shards may be added.
    private func knows(_ home: NodeRecord.Home, _ state: inout State) -> Bool {
        if let place = state.shards[home.shard] { return place.shard.hasSlot(home.slot) }
        guard let shard = self.topology.shard(named: home.shard), shard.hasSlot(home.slot),
            let pool = state.shards.values.first(where: { $0.shard.publishURI == shard.publishURI })?.pool
        else { return false }
        state.shards[home.shard] = (shard, pool)
        return true
    }

    /// What the inbox found out about one peer.
    struct Marks {
        /// The peer has read so far; 0: it did not say.
        var read: Int64 = 0
        /// This node has read so far, and bytes since the last call.
        var received: Int64 = 0
        var bytes = 0
    }

    func note(_ marks: [NodeID: Marks]) {
        let now = BusClock.now()
        let known = marks.map { (peer: $0.key, mark: $0.value, record: self.directory.record(of: $0.key)) }
        let wakes = self.state.withLock { state -> [Wake] in
            known.compactMap { peer, mark, record in
                if mark.read > 0 { state.machine.noteRead(by: peer, upTo: mark.read) }
                guard let record, record.homes.allSatisfy({ self.knows($0, &state) }),
                    let lane = state.machine.noteReceived(
                        from: record, upTo: mark.received, bytes: mark.bytes, now: now)
                else { return nil }
                return Self.wake(lane, &state, limit: self.limits.insertsInFlight)
            }
        }
        for wake in wakes { self.perform(wake) }
    }

    func probe(_ home: NodeRecord.Home, sequence: Int64) {
        let wake = self.state.withLock { state in
            let lane = state.machine.probe(home, sequence: sequence)
            return Self.wake(lane, &state, limit: self.limits.insertsInFlight)
        }
        self.perform(wake)
    }

    /// Waits until every message handed in before has its fate.
    func flush() async {
        await withCheckedContinuation { continuation in
            let isDone = self.state.withLock { state in
                if !state.isFlushed { state.flushers.append(continuation) }
                return state.isFlushed
            }
            if isDone { continuation.resume() }
        }
    }

    func stop() {
        let (completions, semaphores) = self.state.withLock { state in
            state.isStopped = true
            // As many signals as there can be waiters.
            let semaphores = state.inserters.flatMap { Array(repeating: $0.wakeUp, count: $0.started) }
            return (state.owe(state.machine.shutDown()), semaphores)
        }
        self.stopped.signal()
        for semaphore in semaphores { semaphore.signal() }
        self.complete(completions)
    }

    // MARK: Waking

    /// An idle inserter of the lane, or a new one while there are fewer than may be in flight.
    private static func wake(_ lane: Int, _ state: inout State, limit: Int) -> Wake {
        while state.inserters.count <= lane { state.inserters.append(Inserters()) }
        if state.inserters[lane].idle > 0 {
            state.inserters[lane].idle -= 1
            return .signal(state.inserters[lane].wakeUp)
        }
        guard state.inserters[lane].started < limit, !state.isStopped else { return .none }
        state.inserters[lane].started += 1
        return .start(lane)
    }

    private func perform(_ wake: Wake) {
        switch wake {
        case .none: break
        case .signal(let semaphore): semaphore.signal()
        case .start(let lane): self.threads.start("bus-insert-\(lane)") { self.runInserter(lane) }
        }
    }

    // MARK: Inserters

    private func runInserter(_ lane: Int) {
        enum Step { case insert(OutboxInsert<Completion>, Wake), wait(DispatchSemaphore), stop }
        while true {
            let now = BusClock.now()
            let step = self.state.withLock { state -> Step in
                if state.isStopped { return .stop }
                guard let insert = state.machine.take(lane: lane, now: now) else {
                    state.inserters[lane].idle += 1
                    return .wait(state.inserters[lane].wakeUp)
                }
                // What waits for another slot of the shard need not wait for this insert.
                let isMore = state.machine.hasWork(lane: lane)
                return .insert(
                    insert, isMore ? Self.wake(lane, &state, limit: self.limits.insertsInFlight) : .none)
            }
            switch step {
            case .stop: return
            case .wait(let semaphore): semaphore.wait()
            case .insert(let insert, let wake):
                self.perform(wake)
                self.run(insert)
            }
        }
    }

    private func run(_ insert: OutboxInsert<Completion>) {
        guard let (shard, pool) = self.state.withLock({ $0.shards[insert.home.shard] }) else {
            preconditionFailure("messages for unknown shards are refused")
        }
        let started = BusClock.now()
        let outcome = BusInsert.run(
            insert, from: self.nodeText, collection: shard.collection(slot: insert.home.slot), database: shard.database,
            pool: pool, formats: self.formats)
        let now = BusClock.now()
        self.metrics.insertTime.recordNanoseconds((now - started).nanoseconds)
        if let error = outcome.error {
            self.metrics.insertFailures.increment()
            self.logger.warning(
                "an insert into an inbox failed", metadata: ["shard": "\(shard.name)", "error": "\(error)"])
        }
        let copies = zip(insert.envelopes, outcome.stored).lazy.filter { $0.kept != nil && $1 }.count
        if copies > 0 {
            self.metrics.envelopesCopied.increment(by: copies)
            self.traceCopies(insert, outcome.stored)
        }
        self.metrics.envelopesOut.increment(by: outcome.stored.lazy.filter(\.self).count)
        self.metrics.bytesOut.increment(by: outcome.bytes)
        let (completions, wakes) = self.state.withLock { state in
            let result = state.machine.finish(
                insert, stored: outcome.stored, isReachable: outcome.isReachable, now: now)
            return (
                state.owe(result.completions),
                result.wake.map { Self.wake($0, &state, limit: self.limits.insertsInFlight) }
            )
        }
        for wake in wakes { self.perform(wake) }
        self.complete(completions)
    }

    // MARK: Time

    private func runClock() {
        var nextCheck = BusClock.now()
        while self.stopped.wait(timeout: .now() + .milliseconds(100)) == .timedOut {
            let now = BusClock.now()
            let (completions, wakes, backlog, kept, evictions) = self.state.withLock { state in
                let result = state.machine.tick(now: now)
                return (
                    state.owe(result.completions),
                    result.wake.map { Self.wake($0, &state, limit: self.limits.insertsInFlight) },
                    state.machine.backlog, state.machine.keptBytes, state.machine.takeKeptEvictions()
                )
            }
            for wake in wakes { self.perform(wake) }
            self.complete(completions)
            self.metrics.backlog.record(backlog)
            self.metrics.kept.record(kept)
            if evictions > 0 { self.metrics.keptEvictions.increment(by: evictions) }
            guard now >= nextCheck else { continue }
            nextCheck = now + .seconds(1)
            self.checkTargets(now: now)
        }
    }

    /// Drops what waits for targets that were claimed meanwhile, and forgets those that are long gone.
    private func checkTargets(now: NIODeadline) {
        for (target, isClosed) in self.state.withLock({ $0.machine.knownTargets() }) {
            let record = self.directory.record(of: target)
            if !isClosed, let record, record.state >= .claimed {
                self.complete(self.state.withLock { $0.owe($0.machine.close(target)) })
            } else if record == nil {
                self.state.withLock { $0.machine.forgetIfSilent(target, now: now) }
            }
        }
    }

    // MARK: Traces

    private func name(of target: NodeID) -> String { self.directory.record(of: target)?.label ?? target.text }

    private func trace(_ entry: OutboxEntry<Completion>, _ completion: OutboxCompletion<Completion>) {
        guard let tracer = self.tracer, let home = completion.home,
            let event = EventConfirmation.trace(of: entry.message)
        else { return }
        let taken = (BusClock.now() - entry.since).nanoseconds / 1_000_000
        tracer.note(event, .stored(for: self.name(of: completion.target), home: home.label, milliseconds: taken))
    }

    private func traceCopies(_ insert: OutboxInsert<Completion>, _ stored: [Bool]) {
        guard let tracer = self.tracer else { return }
        for (envelope, isStored) in zip(insert.envelopes, stored) where isStored {
            for message in envelope.kept?.messages ?? [] {
                guard let event = EventConfirmation.trace(of: message) else { continue }
                tracer.note(event, .copied(for: self.name(of: envelope.target), home: insert.home.label))
            }
        }
    }

    // MARK: Completions

    private func refuse(_ kind: BusMessage.Kind, _ error: PublishError, _ completion: Completion) {
        self.metrics.unsent(kind, error)
        completion(error)
    }

    private func complete(_ completions: [OutboxCompletion<Completion>]) {
        guard !completions.isEmpty else { return }
        for completion in completions {
            if completion.error == nil { self.metrics.messagesOut.increment(by: completion.entries.count) }
            for entry in completion.entries {
                self.trace(entry, completion)
                if let error = completion.error { self.metrics.unsent(entry.message.kind, error) }
                entry.receipt(completion.error)
            }
        }
        let flushers = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.completing -= 1
            guard state.isFlushed else { return [] }
            defer { state.flushers = [] }
            return state.flushers
        }
        for flusher in flushers { flusher.resume() }
    }
}
