package import NIOCore
package import Routing
package import Wire

/// Decides what is inserted where, and when it is repeated or given up (SPEC ND-6, ND-7). Owns no thread and no clock;
/// `Receipt` is whatever the caller wants back with the fate of a message.
package struct OutboxMachine<Receipt> {
    package enum Acceptance: Equatable {
        /// Queued; wake an idle inserter of that lane, if there is one.
        case accepted(wake: Int?)
        case refused(PublishError)
    }

    struct Flight {
        var lane: Int
        var started: NIODeadline
        var isOverdue = false
    }

    let me: NodeID
    let limits: OutboxLimits
    var lanes: [OutboxLane] = []
    var laneOfShard: [String: Int] = [:]
    var targets: [NodeID: OutboxTarget<Receipt>] = [:]
    var flights: [Int: Flight] = [:]
    var nextInsert = 0
    var isShutDown = false
    var lastTrial: NIODeadline?

    /// Cost of everything that is held, for all targets.
    package internal(set) var backlog = 0
    /// Messages without a known fate.
    package internal(set) var pending = 0
    /// Memory for what was acknowledged and may not have been read, for all targets.
    package internal(set) var keptBytes = 0
    var keptEvictions = 0

    package init(node: NodeID, limits: OutboxLimits) {
        self.me = node
        self.limits = limits
    }

    package var laneCount: Int { self.lanes.count }

    // MARK: Events

    /// A message for a target. Its size was checked before (``MessageBatch/size(of:)``).
    package mutating func enqueue(
        _ message: BusMessage, receipt: Receipt, to target: NodeRecord, now: NIODeadline
    ) -> Acceptance {
        if self.isShutDown { return .refused(.closed) }
        if target.state >= .claimed || target.homes.isEmpty { return .refused(.targetGone) }
        let index = self.targets.index(forKey: target.id) ?? self.add(target, now: now)
        if self.targets.values[index].isClosed { return .refused(.targetGone) }
        let cost = OutboxEntry<Receipt>.cost(of: message)
        guard self.targets.values[index].cost + cost <= self.limits.targetBytes else { return .refused(.backlog) }
        self.targets.values[index].lastUse = now
        self.targets.values[index].cost += cost
        self.targets.values[index].waiting.append(OutboxEntry(message: message, receipt: receipt, since: now))
        self.backlog += cost
        self.pending += 1
        // Mostly the target waits in a lane already, or has all its envelopes under way.
        guard self.targets.values[index].readyLane == nil, !self.isHeldBack(self.targets.values[index]) else {
            return .accepted(wake: nil)
        }
        return .accepted(wake: self.withTarget(target.id) { $0.place(target.id, &$1) } ?? nil)
    }

    /// A probe through a home of this node. A probe that still waits there is replaced: the lane is stuck anyway.
    /// - Returns: the lane to wake.
    package mutating func probe(_ home: NodeRecord.Home, sequence: Int64) -> Int {
        let lane = self.lane(of: home.shard)
        self.lanes[lane].probes.removeAll { $0.slot == home.slot }
        self.lanes[lane].probes.append(OutboxProbe(slot: home.slot, sequence: sequence))
        return lane
    }

    /// What an inserter of the lane is to insert next; nil when nothing waits or enough is in flight.
    package mutating func take(lane index: Int, now: NIODeadline) -> OutboxInsert<Receipt>? {
        guard !self.isShutDown, self.lanes[index].inFlight < self.limits.insertsInFlight else { return nil }
        self.dropStale(lane: index)
        guard let slot = self.nextSlot(lane: index) else { return nil }
        var insert = OutboxInsert<Receipt>(
            id: self.nextInsert, lane: index, home: .init(shard: self.lanes[index].shard, slot: slot),
            envelopes: [], probes: [])
        insert.probes = self.lanes[index].probes.filter { $0.slot == slot }
        self.lanes[index].probes.removeAll { $0.slot == slot }
        var room = self.limits.insertBytes
        self.takeRepeats(lane: index, slot: slot, room: &room, into: &insert, now: now)
        self.takeCopies(lane: index, slot: slot, room: &room, into: &insert, now: now)
        self.takeReady(lane: index, slot: slot, room: &room, into: &insert, now: now)
        self.nextInsert += 1
        self.flights[insert.id] = Flight(lane: index, started: now)
        self.lanes[index].inFlight += 1
        self.lanes[index].lastSlot = slot
        return insert
    }

    /// Whether an inserter of the lane would find something.
    package func hasWork(lane index: Int) -> Bool {
        !self.isShutDown && self.lanes[index].inFlight < self.limits.insertsInFlight && self.lanes[index].hasWork
    }

    /// An insert came back.
    /// - Parameter stored: per envelope, in their order: stored now or before (a duplicate key is success, ND-6).
    ///   False stands for a refusal and for an unknown outcome alike: both are repeated.
    /// - Parameter isReachable: the shard took the command, whatever it said to single documents.
    package mutating func finish(
        _ insert: OutboxInsert<Receipt>, stored: [Bool], isReachable: Bool, now: NIODeadline
    ) -> (completions: [OutboxCompletion<Receipt>], wake: [Int]) {
        guard self.flights.removeValue(forKey: insert.id) != nil else { return ([], []) }
        self.lanes[insert.lane].inFlight -= 1
        self.lanes[insert.lane].lastAnswer = now
        var wake = self.setSuspect(!isReachable, lane: insert.lane)
        var completions: [OutboxCompletion<Receipt>] = []
        for (index, envelope) in insert.envelopes.enumerated() {
            self.withTarget(envelope.target) { machine, target in
                if envelope.kept != nil {
                    return machine.changeKept(&target) { $0.endCopy(envelope.sequence, isStored: stored[index]) }
                }
                guard var open = target.open[envelope.sequence] else { return }
                if stored[index] {
                    target.open[envelope.sequence] = nil
                    machine.keep(envelope.sequence, open, lane: insert.lane, target: &target)
                    let known = completions.count
                    machine.settle(open, error: nil, target: &target, into: &completions)
                    if completions.count > known { completions[known].home = insert.home }
                    if let lane = machine.place(envelope.target, &target) { wake.append(lane) }
                } else if open.attempt == envelope.attempt, open.pausedUntil == nil {
                    if let lane = machine.putAgain(envelope.target, envelope.sequence, &open, target, now) {
                        wake.append(lane)
                    }
                    target.open[envelope.sequence] = open
                    // What it held back need not wait for the repeat.
                    if let lane = machine.place(envelope.target, &target) { wake.append(lane) }
                }
            }
        }
        if self.hasWork(lane: insert.lane) { wake.append(insert.lane) }
        return (completions, wake)
    }

    /// Time passed: repeats what had no answer, ends pauses, gives up what is too old, tries suspect shards.
    package mutating func tick(now: NIODeadline) -> (completions: [OutboxCompletion<Receipt>], wake: [Int]) {
        if self.isShutDown { return ([], []) }
        var wake: [Int] = []
        for (id, flight) in self.flights where !flight.isOverdue && now - flight.started >= self.limits.answerTime {
            self.flights[id]?.isOverdue = true
            wake += self.setSuspect(true, lane: flight.lane)
        }
        var completions: [OutboxCompletion<Receipt>] = []
        for id in Array(self.targets.keys) {
            self.withTarget(id) { machine, target in
                machine.giveUpOld(&target, into: &completions, now: now)
                let oldest = now - machine.limits.keptAge
                machine.changeKept(&target) { $0.forget(olderThan: oldest) }
                for (sequence, var open) in target.open {
                    if let paused = open.pausedUntil {
                        guard paused <= now else { continue }
                        wake.append(machine.enter(id, sequence, &open, target, now))
                    } else if now - open.placed >= machine.limits.answerTime {
                        if let lane = machine.putAgain(id, sequence, &open, target, now) { wake.append(lane) }
                    } else {
                        continue
                    }
                    target.open[sequence] = open
                }
                // What was held back by envelopes that are repeated now, or given up.
                if let lane = machine.place(id, &target) { wake.append(lane) }
            }
        }
        wake += self.copyKept()
        wake += self.trySuspects(now: now)
        return (completions, wake)
    }

    /// The target is claimed or gone: what it was to get is dropped or fails (ND-7).
    package mutating func close(_ target: NodeID) -> [OutboxCompletion<Receipt>] {
        var completions: [OutboxCompletion<Receipt>] = []
        self.withTarget(target) { machine, state in
            state.isClosed = true
            machine.changeKept(&state) { $0.removeAll() }
            machine.settleAll(&state, error: .targetGone, into: &completions)
        }
        return completions
    }

    /// Nothing is accepted or inserted any more.
    package mutating func shutDown() -> [OutboxCompletion<Receipt>] {
        self.isShutDown = true
        var completions: [OutboxCompletion<Receipt>] = []
        for id in Array(self.targets.keys) {
            self.withTarget(id) { machine, state in
                machine.settleAll(&state, error: .closed, into: &completions)
            }
        }
        return completions
    }

    /// Targets that something is held for, or that were used a while ago; for checks against the directory.
    package func knownTargets() -> [(id: NodeID, isClosed: Bool)] { self.targets.map { ($0.key, $0.value.isClosed) } }

    /// Forgets a target that the directory does not know any more, once it was silent for long.
    package mutating func forgetIfSilent(_ target: NodeID, now: NIODeadline) {
        guard let state = self.targets[target], state.open.isEmpty, state.waiting.isEmpty, state.kept.isEmpty,
            now - state.lastUse >= self.limits.forgetAfter
        else { return }
        self.targets[target] = nil
    }

    // MARK: Repeating and giving up

    /// Moves an envelope to its next home: at once while there is one that was not tried, else after a pause.
    /// - Returns: the lane to wake.
    mutating func putAgain(
        _ id: NodeID, _ sequence: Int64, _ open: inout OutboxTarget<Receipt>.Open,
        _ target: OutboxTarget<Receipt>, _ now: NIODeadline
    ) -> Int? {
        open.attempt += 1
        open.home = (open.home + 1) % target.homes.count
        let hasTriedAll = open.attempt > target.homes.count
        let earliest = open.placed + self.limits.repeatPause
        if hasTriedAll, earliest > now {
            open.pausedUntil = earliest
            return nil
        }
        return self.enter(id, sequence, &open, target, now)
    }

    mutating func enter(
        _ id: NodeID, _ sequence: Int64, _ open: inout OutboxTarget<Receipt>.Open,
        _ target: OutboxTarget<Receipt>, _ now: NIODeadline
    ) -> Int {
        open.pausedUntil = nil
        open.placed = now
        let lane = target.lanes[open.home]
        self.lanes[lane].repeats.append(.init(target: id, sequence: sequence, attempt: open.attempt))
        return lane
    }

    mutating func giveUpOld(
        _ target: inout OutboxTarget<Receipt>, into completions: inout [OutboxCompletion<Receipt>], now: NIODeadline
    ) {
        let limit = now - self.limits.targetAge
        let old = target.waiting.prefix { $0.since <= limit }
        if !old.isEmpty {
            self.account(Array(old), error: .backlog, target: &target, into: &completions)
            target.waiting.removeFirst(old.count)
            if target.waiting.isEmpty { target.readyLane = nil }
        }
        for (sequence, var open) in target.open where !open.isGivenUp && open.since <= limit {
            self.settle(open, error: .backlog, target: &target, into: &completions)
            open.entries = []
            open.cost = 0
            open.isGivenUp = true
            target.open[sequence] = open
        }
    }

    mutating func settleAll(
        _ target: inout OutboxTarget<Receipt>, error: PublishError,
        into completions: inout [OutboxCompletion<Receipt>]
    ) {
        for sequence in target.open.keys.sorted() {
            guard let open = target.open.removeValue(forKey: sequence) else { continue }
            self.settle(open, error: error, target: &target, into: &completions)
        }
        let waiting = target.waiting
        target.waiting = []
        target.readyLane = nil
        if !waiting.isEmpty { self.account(waiting, error: error, target: &target, into: &completions) }
    }

    mutating func settle(
        _ open: OutboxTarget<Receipt>.Open, error: PublishError?, target: inout OutboxTarget<Receipt>,
        into completions: inout [OutboxCompletion<Receipt>]
    ) {
        guard !open.isGivenUp, !open.entries.isEmpty else { return }
        self.account(open.entries, error: error, target: &target, into: &completions)
    }

    mutating func account(
        _ entries: [OutboxEntry<Receipt>], error: PublishError?, target: inout OutboxTarget<Receipt>,
        into completions: inout [OutboxCompletion<Receipt>]
    ) {
        let cost = entries.reduce(0) { $0 + $1.cost }
        target.cost -= cost
        self.backlog -= cost
        self.pending -= entries.count
        completions.append(OutboxCompletion(entries: entries, error: error, target: target.id))
    }

    // MARK: Shards

    /// Notes whether a shard takes writes. Targets that wait for one that does not go to their other home.
    /// - Returns: lanes to wake.
    mutating func setSuspect(_ isSuspect: Bool, lane index: Int) -> [Int] {
        guard self.lanes[index].isSuspect != isSuspect else { return [] }
        self.lanes[index].isSuspect = isSuspect
        guard isSuspect else { return [] }
        let ready = self.lanes[index].ready
        self.lanes[index].ready = []
        var wake: [Int] = []
        for id in ready {
            self.withTarget(id) { machine, target in
                guard target.readyLane == index else { return }
                target.readyLane = nil
                if let lane = machine.place(id, &target) { wake.append(lane) }
            }
        }
        return wake
    }

    /// Once a second, sends a probe into every suspect shard, to see whether it takes writes again, and into those that
    /// hold something kept and are not written to. It is addressed to this node, in a slot that the node does not tail
    /// unless it lives there, and so ends there.
    mutating func trySuspects(now: NIODeadline) -> [Int] {
        if let last = self.lastTrial, now - last < self.limits.answerTime { return [] }
        self.lastTrial = now
        var wake: [Int] = []
        let unwatched = self.unwatchedLanes(now: now)
        for index in self.lanes.indices
        where (self.lanes[index].isSuspect || unwatched.contains(index)) && self.lanes[index].probes.isEmpty {
            let slot = self.lanes[index].lastSlot
            self.lanes[index].probes.append(OutboxProbe(slot: slot, sequence: now.trialSequence))
            wake.append(index)
        }
        return wake
    }

    /// Works on a target in place: taken out of the dictionary meanwhile, so that its arrays are not copied.
    @discardableResult
    mutating func withTarget<Result>(
        _ id: NodeID, _ body: (inout OutboxMachine, inout OutboxTarget<Receipt>) -> Result
    ) -> Result? {
        guard let index = self.targets.index(forKey: id) else { return nil }
        // Swapped against an empty one, as the closure needs the machine too.
        var target = self.targets.values[index]
        self.targets.values[index].waiting = []
        self.targets.values[index].open = [:]
        self.targets.values[index].kept = KeptEnvelopes()
        let result = body(&self, &target)
        self.targets[id] = target
        return result
    }
}

extension OutboxMachine: Sendable where Receipt: Sendable {}
extension OutboxMachine.Flight: Sendable {}

extension NIODeadline {
    /// Distinct from every other trial's and from the probes of a home, which count from 1.
    fileprivate var trialSequence: Int64 { Int64.max - Int64(clamping: self.uptimeNanoseconds / 1_000_000) }
}
