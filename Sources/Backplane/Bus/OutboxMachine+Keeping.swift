import DequeModule
package import NIOCore
package import Routing
import Wire

/// What was acknowledged and may not have been read (SPEC ND-7): kept per target until it says how far it has read, or for
/// a minute, and put into its other home if the one where it lies stops answering. A receiver waits 5 s behind a hole, an
/// election takes longer: without the copy an event with a good receipt would come too late.
extension OutboxMachine {
    /// The target has read everything up to here that this node has sent it.
    package mutating func noteRead(by target: NodeID, upTo sequence: Int64) {
        self.withTarget(target) { machine, state in
            guard sequence > state.readUpTo, sequence < state.nextSequence else { return }
            state.readUpTo = sequence
            machine.changeKept(&state) { $0.forget(upTo: sequence) }
        }
    }

    /// This node has read everything up to here that the peer has sent it. Every envelope to the peer says so; where
    /// none goes, an empty one does after ``OutboxLimits/markBytes``.
    /// - Parameter bytes: of the envelopes that were read since the last call.
    /// - Returns: the lane to wake.
    package mutating func noteReceived(
        from peer: NodeRecord, upTo sequence: Int64, bytes: Int, now: NIODeadline
    ) -> Int? {
        if self.isShutDown || peer.state >= .claimed || peer.homes.isEmpty { return nil }
        let index = self.targets.index(forKey: peer.id) ?? self.add(peer, now: now)
        if self.targets.values[index].isClosed { return nil }
        self.targets.values[index].receivedUpTo = sequence
        self.targets.values[index].untoldBytes += bytes
        guard self.targets.values[index].owesMark(self.limits), self.targets.values[index].readyLane == nil
        else { return nil }
        self.targets.values[index].lastUse = now
        return self.withTarget(peer.id) { $0.place(peer.id, &$1) } ?? nil
    }

    mutating func keep(
        _ sequence: Int64, _ open: OutboxTarget<Receipt>.Open, lane: Int, target: inout OutboxTarget<Receipt>
    ) {
        guard target.homes.count > 1, self.limits.keptBytes > 0, !target.isClosed, sequence > target.readUpTo,
            let home = target.lanes.firstIndex(of: lane)
        else { return }
        // An empty one, too: a number that never comes is a hole.
        let envelope = KeptEnvelope(
            sequence: sequence, messages: open.entries.map(\.message), cost: open.cost + 128, since: open.since,
            home: home)
        let limit = self.limits.keptBytes
        let evicted = self.changeKept(&target) { $0.keep(envelope, limit: limit) }
        self.keptEvictions += evicted
    }

    /// Keeps the sum over all targets right.
    @discardableResult
    mutating func changeKept<Result>(
        _ target: inout OutboxTarget<Receipt>, _ change: (inout KeptEnvelopes) -> Result
    ) -> Result {
        let before = target.kept.cost
        defer { self.keptBytes += target.kept.cost - before }
        return change(&target.kept)
    }

    /// How many envelopes were forgotten for lack of room since the last call.
    package mutating func takeKeptEvictions() -> Int {
        defer { self.keptEvictions = 0 }
        return self.keptEvictions
    }

    /// Puts what lies in silent homes into the lane of one that answers.
    /// - Returns: lanes to wake.
    mutating func copyKept() -> [Int] {
        guard self.keptBytes > 0, self.lanes.contains(where: \.isSuspect) else { return [] }
        var wake: Set<Int> = []
        for id in self.targets.filter({ !$0.value.kept.isEmpty }).keys.sorted() {
            self.withTarget(id) { machine, target in
                let lanes = target.lanes
                guard let lane = lanes.first(where: { !machine.lanes[$0].isSuspect }) else { return }
                let copies = target.kept.beginCopies { machine.lanes[lanes[$0]].isSuspect }
                guard !copies.isEmpty else { return }
                machine.lanes[lane].copies.append(contentsOf: copies.map { .init(target: id, sequence: $0) })
                wake.insert(lane)
            }
        }
        return wake.sorted()
    }

    /// Shards that hold something kept and were not written to for a while: nobody would notice that they are silent.
    func unwatchedLanes(now: NIODeadline) -> Set<Int> {
        guard self.keptBytes > 0 else { return [] }
        var holding: Set<Int> = []
        for target in self.targets.values where !target.kept.isEmpty { holding.formUnion(target.lanes) }
        return holding.filter { index in
            let lane = self.lanes[index]
            return lane.inFlight == 0 && lane.lastAnswer.map { now - $0 >= self.limits.answerTime } ?? true
        }
    }

    /// A little of it goes with each insert, so that what is new is not held up.
    mutating func takeCopies(
        lane index: Int, slot: Int, room: inout Int, into insert: inout OutboxInsert<Receipt>, now: NIODeadline
    ) {
        guard !self.lanes[index].copies.isEmpty else { return }
        var copyRoom = min(room, self.limits.copyBytes)
        var kept: [OutboxLane.Copy] = []
        var copies = self.lanes[index].copies
        while copyRoom > 0, let copy = copies.popFirst() {
            guard let target = self.targets[copy.target], let envelope = target.kept[copy.sequence],
                let home = target.lanes.firstIndex(of: index)
            else { continue }
            guard target.homes[home].slot == slot else {
                kept.append(copy)
                continue
            }
            copyRoom -= envelope.cost
            room -= envelope.cost
            insert.envelopes.append(
                .init(
                    target: copy.target, to: target.text, sequence: copy.sequence, attempt: 0, entries: [],
                    kept: envelope, readMark: target.receivedUpTo,
                    age: max(0, (now - envelope.since).nanoseconds / 1_000_000_000)))
        }
        copies.prepend(contentsOf: kept)
        self.lanes[index].copies = copies
    }
}
