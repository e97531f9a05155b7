import NIOCore
import Routing
import Wire

/// What goes into the next insert of a lane: which targets, in which order, from which slot, and what is due again.
extension OutboxMachine {
    mutating func add(
        _ record: NodeRecord, now: NIODeadline
    ) -> Dictionary<NodeID, OutboxTarget<Receipt>>.Index {
        let lanes = record.homes.map { self.lane(of: $0.shard) }
        let preferred = HomeChoice.preferredHome(from: self.me, to: record.id, homes: lanes.count)
        self.targets[record.id] = OutboxTarget(record, lanes: lanes, preferred: preferred, now: now)
        guard let index = self.targets.index(forKey: record.id) else { preconditionFailure("inserted just now") }
        return index
    }

    /// The lane of a shard, made at first use.
    package mutating func lane(of shard: String) -> Int {
        if let lane = self.laneOfShard[shard] { return lane }
        self.lanes.append(OutboxLane(shard: shard))
        self.laneOfShard[shard] = self.lanes.count - 1
        return self.lanes.count - 1
    }

    /// Puts a target with waiting messages into the ready list of the lane of its best home.
    /// - Returns: the lane to wake.
    mutating func place(_ id: NodeID, _ target: inout OutboxTarget<Receipt>) -> Int? {
        guard !target.waiting.isEmpty || target.owesMark(self.limits), target.readyLane == nil,
            target.open.count < self.limits.openEnvelopes
        else { return nil }
        if self.isHeldBack(target) { return nil }
        let lane = target.lanes[self.bestHome(target)]
        target.readyLane = lane
        self.lanes[lane].ready.append(id)
        return lane
    }

    /// ``OutboxTarget/isHeldBack``, but not behind a shard that does not answer.
    func isHeldBack(_ target: OutboxTarget<Receipt>) -> Bool {
        target.isHeldBack && !self.lanes[target.lanes[target.preferred]].isSuspect
    }

    func bestHome(_ target: OutboxTarget<Receipt>) -> Int {
        guard self.lanes[target.lanes[target.preferred]].isSuspect else { return target.preferred }
        return target.lanes.indices.first { !self.lanes[target.lanes[$0]].isSuspect } ?? target.preferred
    }

    /// The slot of the next insert: that of the first probe, repeat or ready target.
    func nextSlot(lane index: Int) -> Int? {
        let lane = self.lanes[index]
        if let probe = lane.probes.first { return probe.slot }
        if let first = lane.repeats.first, let target = self.targets[first.target],
            let open = target.open[first.sequence]
        {
            return target.homes[open.home].slot
        }
        if let copy = lane.copies.first { return self.slot(of: copy.target, lane: index) }
        return lane.ready.first.flatMap { self.slot(of: $0, lane: index) }
    }

    func slot(of id: NodeID, lane: Int) -> Int? {
        guard let target = self.targets[id] else { return nil }
        return target.lanes.firstIndex(of: lane).map { target.homes[$0].slot }
    }

    /// Takes out what was answered, given up or put elsewhere meanwhile.
    mutating func dropStale(lane index: Int) {
        let targets = self.targets
        self.lanes[index].ready.removeAll { targets[$0]?.readyLane != index }
        while let copy = self.lanes[index].copies.first, targets[copy.target]?.kept[copy.sequence] == nil {
            self.lanes[index].copies.removeFirst()
        }
        guard !self.lanes[index].repeats.isEmpty else { return }
        self.lanes[index].repeats.removeAll { item in
            guard let open = targets[item.target]?.open[item.sequence] else { return true }
            return open.attempt != item.attempt
        }
    }

    mutating func takeRepeats(
        lane index: Int, slot: Int, room: inout Int, into insert: inout OutboxInsert<Receipt>, now: NIODeadline
    ) {
        var kept: [OutboxLane.Repeat] = []
        for item in self.lanes[index].repeats {
            guard let target = self.targets[item.target], let open = target.open[item.sequence] else { continue }
            guard target.homes[open.home].slot == slot, room > open.cost || insert.envelopes.isEmpty else {
                kept.append(item)
                continue
            }
            room -= open.cost
            insert.envelopes.append(
                .init(
                    target: item.target, to: target.text, sequence: item.sequence, attempt: item.attempt,
                    entries: open.entries, readMark: target.receivedUpTo))
        }
        self.lanes[index].repeats = kept
    }

    mutating func takeReady(
        lane index: Int, slot: Int, room: inout Int, into insert: inout OutboxInsert<Receipt>, now: NIODeadline
    ) {
        var kept: [NodeID] = []
        let ready = self.lanes[index].ready
        self.lanes[index].ready = []
        for id in ready {
            let isTaken: Bool? = self.withTarget(id) { machine, target in
                // Twice in the list, and taken by the first of them.
                guard target.readyLane == index else { return true }
                guard let home = target.lanes.firstIndex(of: index) else {
                    preconditionFailure("a target is ready in a lane of its own")
                }
                // Nothing waits where only the mark is owed.
                let since = target.waiting.first?.since ?? now
                guard target.homes[home].slot == slot, room > 0 || insert.envelopes.isEmpty else { return false }
                let (entries, cost) = target.takeWaiting()
                let sequence = target.nextSequence
                target.nextSequence += 1
                target.open[sequence] = .init(entries: entries, cost: cost, since: since, home: home, placed: now)
                target.readyLane = nil
                target.untoldBytes = 0
                room -= cost
                insert.envelopes.append(
                    .init(
                        target: id, to: target.text, sequence: sequence, attempt: 1, entries: entries,
                        readMark: target.receivedUpTo))
                _ = machine.place(id, &target)
                return true
            }
            if isTaken == false { kept.append(id) }
        }
        // What was placed while this ran stands behind what waited before.
        self.lanes[index].ready = kept + self.lanes[index].ready
    }
}
