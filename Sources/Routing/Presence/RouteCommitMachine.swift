internal import DequeModule

/// Decides which route documents of one shard are read and written next (SPEC LC-2, LC-4).
///
/// Operations on a key are serialised: all that wait go into one write, and a key is in one round at a time. A round is
/// ``start(now:)`` → read → ``prepare(_:documents:now:clusterTime:claimed:)`` → write → ``finish(_:outcomes:now:)`` →
/// the caller passes the results on → ``release(_:)``. Nothing is cached; a caller may hand in the document of the last
/// commit, and compare-and-set finds out when it is old.
package struct RouteCommitMachine: Sendable {
    package typealias OperationID = UInt64

    /// A batch of keys that is under way.
    package struct Round: Sendable, Equatable {
        package let id: Int
        /// What must be read; may be empty.
        package let reads: [RouteKey]
    }

    private struct Entry {
        var waiting: [RouteOperation] = []
        var flying: [RouteOperation] = []
        var isFlying = false
        /// A write had an unknown outcome and may still land: only a committed write rules that out (LC-2).
        var mustCommit = false
        var attempts = 0
        var notBefore: Int64 = 0
        /// Halved when a whole batch is refused, so that one bad document stands alone in the end.
        var batchLimit = Int.max
        var known: RouteDocument?

        var isIdle: Bool { self.waiting.isEmpty && !self.isFlying && !self.mustCommit }
    }

    private struct Attempt {
        let key: RouteKey
        var base: RouteDocument?
        var step: RouteMachine.Step?
        var isWritten = false
    }

    private let machine: RouteMachine
    private let options: RouteCommitOptions
    private var generator: SplitMix64
    private var entries: [RouteKey: Entry] = [:]
    private var ready: Deque<RouteKey> = []
    private var paused: Set<RouteKey> = []
    private var rounds: [Int: [Attempt]] = [:]
    private var roundCount = 0
    private var operationCount: OperationID = 0
    private var connectCount = 0

    package init(machine: RouteMachine, options: RouteCommitOptions = RouteCommitOptions(), seed: UInt64) {
        self.machine = machine
        self.options = options
        self.generator = SplitMix64(seed: seed)
    }

    /// Nothing waits, nothing is in flight, and no outcome is unknown.
    package var isIdle: Bool { self.entries.isEmpty }

    /// Connects that wait or are in flight.
    package var pendingConnects: Int { self.connectCount }

    // MARK: Operations

    /// - Parameter known: the document as this node committed it last, to save the read.
    /// - Returns: the operation's ID, and results that are known at once; nil when the queue is full.
    package mutating func add(
        _ change: RouteChange, key: RouteKey, known: RouteDocument? = nil, now: Int64
    ) -> (id: OperationID, settlement: Settlement)? {
        var deadline: Int64?
        switch change {
        case .connect, .recover:
            guard self.connectCount < self.options.waitingConnects else { return nil }
            self.connectCount += 1
            deadline = now + self.options.connectTimeout
        case .renew, .disconnect, .setRooms, .forget, .settle, .reap, .link, .unlink, .acknowledge: break
        }
        self.operationCount += 1
        let operation = RouteOperation(id: self.operationCount, change: change, deadline: deadline)
        var settlement = Settlement()
        var entry = self.entries[key] ?? Entry()
        let isNew = entry.isIdle
        entry.waiting.append(operation)
        if let known, isNew { entry.known = known }
        if case .disconnect = change { self.cancelOpposites(&entry, &settlement) }
        self.store(entry, key, enqueue: isNew)
        return (operation.id, settlement)
    }

    /// Fails connects whose time is up. One that may have reached the store is removed again.
    package mutating func expire(now: Int64) -> Settlement {
        var settlement = Settlement()
        guard self.connectCount > 0 else { return settlement }
        func isDue(_ operation: RouteOperation) -> Bool {
            operation.deadline.map { $0 <= now && !operation.isAbandoned } ?? false
        }
        // Sorted: a dictionary has no order, and runs with one seed must be equal.
        let due = self.entries.filter { ($0.value.flying + $0.value.waiting).contains(where: isDue) }
        for key in due.keys.sorted() {
            guard var entry = self.entries[key] else { continue }
            var removals: [RouteOperation] = []
            for index in entry.flying.indices where isDue(entry.flying[index]) {
                self.abandon(&entry.flying[index], .deadline, &settlement)
                removals += self.removal(of: entry.flying[index])
            }
            for operation in entry.waiting where isDue(operation) {
                var operation = operation
                self.abandon(&operation, .deadline, &settlement)
                if entry.mustCommit { removals += self.removal(of: operation) }
            }
            entry.waiting.removeAll(where: isDue)
            entry.waiting += removals
            self.store(entry, key, enqueue: false)
        }
        return settlement
    }

    /// Fails everything: this incarnation is over, and its reaper removes what it left (ND-4).
    package mutating func close() -> Settlement {
        var settlement = Settlement()
        for entry in self.entries.values {
            for operation in entry.flying + entry.waiting where !operation.isAbandoned && operation.id != 0 {
                settlement.results.append((operation.id, .failure(.closed)))
            }
        }
        self.entries = [:]
        self.ready = []
        self.paused = []
        self.rounds = [:]
        self.connectCount = 0
        return settlement
    }

    // MARK: Rounds

    /// When ``start(now:)`` may find something that it does not find now; nil: not before something is added.
    package var nextStart: Int64? { self.paused.lazy.compactMap { self.entries[$0]?.notBefore }.min() }

    /// Whether ``start(now:)`` is likely to find something now.
    package var isReady: Bool { !self.ready.isEmpty && self.rounds.count < self.options.roundsInFlight }

    package mutating func start(now: Int64) -> Round? {
        guard self.rounds.count < self.options.roundsInFlight else { return nil }
        if !self.paused.isEmpty {
            // Sorted: a set has no order, and runs with one seed must be equal.
            let due = self.paused.filter { (self.entries[$0]?.notBefore ?? 0) <= now }.sorted()
            self.paused.subtract(due)
            self.ready += due
        }
        var limit = self.options.keysPerRound
        var attempts: [Attempt] = []
        while attempts.count < limit, let key = self.ready.popFirst() {
            guard var entry = self.entries[key], !entry.isFlying else { continue }
            if !attempts.isEmpty, attempts.count >= entry.batchLimit {
                self.ready.prepend(key)
                break
            }
            limit = min(limit, entry.batchLimit)
            entry.flying = entry.waiting
            entry.waiting = []
            entry.isFlying = true
            attempts.append(Attempt(key: key, base: entry.known))
            entry.known = nil
            self.entries[key] = entry
        }
        guard !attempts.isEmpty else { return nil }
        self.roundCount += 1
        self.rounds[self.roundCount] = attempts
        return Round(id: self.roundCount, reads: attempts.filter { $0.base == nil }.map(\.key))
    }

    /// - Parameters:
    ///   - documents: what was read; a key without one has no document.
    ///   - clusterTime: the primary's clock, in milliseconds since 1970.
    /// - Returns: the writes to send; may be empty, ``finish(_:outcomes:now:)`` follows all the same.
    package mutating func prepare(
        _ round: Round, documents: [RouteKey: RouteDocument], now: Int64, clusterTime: Int64, claimed: Set<NodeID>
    ) -> [RouteWrite] {
        // Taken out: with a second holder the first change would copy all of them.
        guard var attempts = self.rounds.removeValue(forKey: round.id) else { return [] }
        var writes: [RouteWrite] = []
        for index in attempts.indices {
            let key = attempts[index].key
            guard let entry = self.entries[key] else { continue }
            let base = attempts[index].base ?? documents[key] ?? RouteDocument(key: key)
            let step = self.machine.apply(
                entry.flying.map(\.change), to: base, now: clusterTime, claimed: claimed)
            attempts[index].step = step
            if step.isChanged || step.needsProof || entry.mustCommit {
                attempts[index].isWritten = true
                writes.append(RouteWrite(old: base, new: step.document))
            }
        }
        self.rounds[round.id] = attempts
        return writes
    }

    /// - Parameter outcomes: one per write of ``prepare(_:documents:now:clusterTime:claimed:)``, in their order.
    package mutating func finish(_ round: Round, outcomes: [RouteWriteOutcome], now: Int64) -> Settlement {
        var settlement = Settlement()
        var outcomes = outcomes[...]
        for attempt in self.rounds[round.id] ?? [] {
            guard let step = attempt.step, let entry = self.entries[attempt.key] else { continue }
            guard attempt.isWritten else {
                self.succeed(attempt.key, entry, step, isCommitted: false, &settlement)
                continue
            }
            switch outcomes.popFirst() {
            case .committed:
                self.succeed(attempt.key, entry, step, isCommitted: true, &settlement)
            case .conflict:
                self.retry(attempt.key, self.options.conflictPause, now, &settlement)
            case .failed(let error):
                self.fail(attempt, error, now, &settlement)
            case nil:
                let error = StoreError(.unknownOutcome, operation: "routes.write", message: "no outcome for this key")
                self.fail(attempt, error, now, &settlement)
            }
        }
        return settlement
    }

    /// The read failed, or the write as a whole.
    package mutating func fail(_ round: Round, _ error: StoreError, now: Int64) -> Settlement {
        var settlement = Settlement()
        let attempts = self.rounds[round.id] ?? []
        let isBatchRefused = attempts.count > 1 && (error.code == .malformed || error.code == .rejected)
        for attempt in attempts {
            if isBatchRefused {
                self.entries[attempt.key]?.batchLimit = max(1, attempts.count / 2)
                self.retry(attempt.key, self.options.conflictPause, now, &settlement)
            } else {
                self.fail(attempt, error, now, &settlement)
            }
        }
        return settlement
    }

    /// The lease ran out between read and write (ND-3): nothing was written, everything goes back.
    package mutating func postpone(_ round: Round, now: Int64) -> Settlement {
        var settlement = Settlement()
        for attempt in self.rounds[round.id] ?? [] {
            self.retry(attempt.key, self.options.errorPause, now, &settlement)
        }
        return settlement
    }

    /// The results of the round have been passed on: its keys may go into the next one.
    package mutating func release(_ round: Round) {
        for attempt in self.rounds.removeValue(forKey: round.id) ?? [] {
            guard var entry = self.entries[attempt.key] else { continue }
            entry.isFlying = false
            self.store(entry, attempt.key, enqueue: true)
        }
    }

    // MARK: Parts of a round

    private mutating func succeed(
        _ key: RouteKey, _ old: Entry, _ step: RouteMachine.Step, isCommitted: Bool, _ settlement: inout Settlement
    ) {
        var entry = old
        for (operation, outcome) in zip(entry.flying, step.outcomes) {
            if operation.isAbandoned {
                settlement.superseded += outcome.superseded.map { (key, $0) }
                continue
            }
            if operation.isConnect { self.connectCount -= 1 }
            guard operation.id != 0 else { continue }
            switch outcome {
            case .refused(let kind):
                settlement.results.append((operation.id, .failure(.limit(kind))))
            case .connected, .recovered, .settled, .linked, .applied:
                settlement.results.append((operation.id, .success(outcome)))
            }
        }
        // Closings change the document: they come with a commit only.
        if !step.links.isEmpty { settlement.links.append((step.document, step.links)) }
        entry.flying = []
        entry.attempts = 0
        entry.notBefore = 0
        entry.batchLimit = .max
        if isCommitted {
            entry.mustCommit = false
            entry.known = step.document
            settlement.commits.append(step.document)
            if step.isUnheard { settlement.unheard += step.transitions }
            if step.graces != GraceChanges() { settlement.graces.append((key, step.document.due, step.graces)) }
        }
        self.entries[key] = entry
    }

    private mutating func fail(
        _ attempt: Attempt, _ error: StoreError, _ now: Int64, _ settlement: inout Settlement
    ) {
        guard var entry = self.entries[attempt.key] else { return }
        switch error.code {
        case .unknownOutcome where attempt.isWritten:
            entry.mustCommit = true
            for outcome in attempt.step?.outcomes ?? [] {
                settlement.superseded += outcome.superseded.map { (attempt.key, $0) }
            }
        case .rejected, .malformed:
            // Repeating does not help a connect; what must happen in the end is repeated all the same.
            var removals: [RouteOperation] = []
            for index in entry.flying.indices where entry.flying[index].isConnect && !entry.flying[index].isAbandoned {
                self.abandon(&entry.flying[index], .refused(error), &settlement)
                if entry.mustCommit { removals += self.removal(of: entry.flying[index]) }
            }
            entry.waiting += removals
        case .unavailable, .busy, .unknownOutcome:
            break
        }
        self.entries[attempt.key] = entry
        self.retry(attempt.key, self.options.errorPause, now, &settlement)
    }

    private mutating func retry(
        _ key: RouteKey, _ pause: ClosedRange<Int64>, _ now: Int64, _ settlement: inout Settlement
    ) {
        guard var entry = self.entries[key] else { return }
        entry.waiting = entry.flying + entry.waiting
        entry.flying = []
        let longest = min(pause.upperBound, pause.lowerBound << Int64(min(entry.attempts, 20)))
        entry.attempts += 1
        entry.notBefore = now + Int64.random(in: 1...longest, using: &self.generator)
        self.cancelOpposites(&entry, &settlement)
        entry.waiting.removeAll(where: \.isAbandoned)
        self.entries[key] = entry
    }

    /// A connect and its removal that both wait need no write, unless an earlier attempt may still land.
    private mutating func cancelOpposites(_ entry: inout Entry, _ settlement: inout Settlement) {
        var removals: [SocketID: Int] = [:]
        for (index, operation) in entry.waiting.enumerated() {
            if case .disconnect(let socket, _, _, _, _) = operation.change { removals[socket] = index }
        }
        guard !removals.isEmpty else { return }
        var dropped: Set<Int> = []
        for index in entry.waiting.indices {
            guard let connection = entry.waiting[index].connection, let removal = removals[connection.socket],
                removal > index, entry.waiting[removal].removes(connection)
            else { continue }
            if !entry.waiting[index].isAbandoned { self.abandon(&entry.waiting[index], .cancelled, &settlement) }
            dropped.insert(index)
            if entry.mustCommit { continue }
            if entry.waiting[removal].id != 0 {
                settlement.results.append((entry.waiting[removal].id, .success(.applied)))
            }
            dropped.insert(removal)
            removals[connection.socket] = nil
        }
        guard !dropped.isEmpty else { return }
        entry.waiting = entry.waiting.indices.filter { !dropped.contains($0) }.map { entry.waiting[$0] }
    }

    private mutating func abandon(
        _ operation: inout RouteOperation, _ error: RouteError, _ settlement: inout Settlement
    ) {
        operation.isAbandoned = true
        self.connectCount -= 1
        if operation.id != 0 { settlement.results.append((operation.id, .failure(error))) }
    }

    private func removal(of operation: RouteOperation) -> [RouteOperation] {
        guard let connection = operation.connection else { return [] }
        // Only the client of a recovery has the private ID.
        var isFinal = true
        if case .recover = operation.change { isFinal = false }
        let change = RouteChange.disconnect(
            connection.socket, node: connection.node, isFinal: isFinal, grace: self.options.abandonedGrace,
            links: .grace(self.options.abandonedLinkGrace))
        return [RouteOperation(id: 0, change: change, deadline: nil)]
    }

    private mutating func store(_ entry: Entry, _ key: RouteKey, enqueue: Bool) {
        if entry.isIdle {
            self.entries[key] = nil
            self.paused.remove(key)
            return
        }
        self.entries[key] = entry
        guard enqueue, !entry.isFlying else { return }
        if entry.notBefore > 0 { self.paused.insert(key) } else { self.ready.append(key) }
    }
}
