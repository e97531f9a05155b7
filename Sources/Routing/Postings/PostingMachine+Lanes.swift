/// Which lanes this node works on.
extension PostingMachine {
    /// - Parameters:
    ///   - live: nodes that are not held to be dead.
    package mutating func lanesRead(_ records: [PostingLaneRecord], live: Set<NodeID>, at now: Int64) {
        self.isBusyWithLanes = false
        self.nextLanes = now + self.options.lanesInterval
        self.changes = []
        for record in records {
            guard let lane = self.lanes[record.lane] else { continue }
            let isOther = record.generation != lane.record.generation || record.stream != lane.record.stream
            if record.holder != self.own || isOther {
                self.lose(record.lane)
            } else {
                self.lanes[record.lane]?.record = record
                if let asker = record.asker, asker != self.own, live.contains(asker) {
                    self.lanes[record.lane]?.phase = .closing
                }
            }
        }
        // Held, and not known to be: the answer to an earlier change was lost. Taken once more, as what came of it is unknown.
        for record in records where record.holder == self.own && self.lanes[record.lane] == nil {
            self.changes.append(.take(record))
        }
        self.changes += PostingLanes.changes(records, own: self.own, live: live.union([self.own]))
    }

    package mutating func lanesUnread(at now: Int64) {
        self.isBusyWithLanes = false
        self.nextLanes = now + self.options.pause
    }

    package mutating func lanesUnchanged(at now: Int64) {
        self.isBusyWithLanes = false
        // Read first: some may have been changed all the same.
        self.changes = []
        self.nextLanes = now + self.options.pause
        self.nextChanges = self.nextLanes
    }

    /// - Parameter records: the leases as they are now; those that somebody else changed first are missing.
    package mutating func lanesChanged(_ records: [PostingLaneRecord], at now: Int64) {
        self.isBusyWithLanes = false
        if records.count < self.changing { self.nextLanes = now }
        for record in records {
            if record.holder != self.own {
                self.lanes[record.lane] = nil
            } else if self.lanes[record.lane]?.record.generation != record.generation {
                self.lose(record.lane)
                self.lanes[record.lane] = Lane(record: record, phase: .adopting)
            }
        }
    }

    /// - Parameters: as ``PostingStep/readBegun(lanes:adopting:)`` had them.
    package mutating func begunRead(
        _ lanes: [Int], adopting generation: Int64?, _ intakes: [PostingIntake], at now: Int64
    ) {
        self.isBusyWithBegun = false
        guard let generation else { return self.sweep(intakes) }
        // Of a lane that was lost and taken again meanwhile this was read too early.
        guard let number = lanes.first, let lane = self.lanes[number], lane.phase == .adopting,
            lane.record.generation == generation
        else { return }
        self.adopt(intakes, lane)
        self.lanes[number]?.phase = .open
        self.nextPoll = .min
    }

    package mutating func begunUnread(at now: Int64) {
        self.isBusyWithBegun = false
        self.nextBegun = now + self.options.pause
    }

    /// What the holder before had in its hands: sent again under the same number, before anything new of these users.
    private mutating func adopt(_ intakes: [PostingIntake], _ lane: Lane) {
        for intake in intakes.sorted(by: { ($0.number?.number ?? 0) < ($1.number?.number ?? 0) }) {
            guard let number = intake.number, number.stream == lane.record.stream, self.isNew(intake.id) else {
                continue
            }
            switch intake.content {
            case .failure(let refusal): self.refuse(intake.id, number, refusal)
            case .success(let event):
                self.counts.adopted += 1
                self.add(
                    intake.id, Entry(event: event, lane: lane.record.lane, number: number, stage: .waiting, attempts: 1)
                )
                self.makeReady(event.key.user)
            }
        }
    }

    /// Numbers that were stored after this node had taken the lane over, by one that had lost it: such a node looks at its
    /// lease before it sends, so nothing was sent under them. Those of lanes that are not there any more count as well.
    private mutating func sweep(_ intakes: [PostingIntake]) {
        for intake in intakes where self.isNew(intake.id) && self.count < self.options.inFlight {
            guard let number = intake.number else { continue }
            switch intake.content {
            case .failure(let refusal): self.refuse(intake.id, number, refusal)
            case .success(let event):
                guard let lane = intake.lane, self.lanes[lane]?.phase == .open, let fresh = self.number(in: lane)
                else { continue }
                self.counts.strays += 1
                self.add(
                    intake.id, Entry(event: event, lane: lane, number: fresh, stage: .assigning(replacing: number)))
                self.unassigned.append(intake.id)
            }
        }
    }

    /// Another node has the lane: it finds in the store what it has to do.
    private mutating func lose(_ lane: Int) {
        guard self.lanes.removeValue(forKey: lane) != nil else { return }
        for (id, entry) in self.entries where entry.lane == lane { self.drop(id) }
    }

    /// What is left of a lane that is to be given up: once nothing is under way, the lease goes.
    mutating func giveUpClosedLanes() {
        guard !self.isBusyWithLanes else { return }
        for lane in self.lanes.values where lane.phase == .closing && lane.numbers.isEmpty {
            let change = PostingLaneChange.give(lane.record)
            if !self.changes.contains(change) { self.changes.append(change) }
        }
    }
}
