/// Postings on their way through a node.
extension PostingMachine {
    /// - Parameter limit: how many were asked for.
    package mutating func newRead(_ intakes: [PostingIntake], limit: Int, at now: Int64) {
        self.isBusyWithIntake = false
        let known = self.count
        defer {
            // There are more; but not where none of these could be taken.
            let isFull = intakes.count >= limit && self.count > known
            self.nextPoll = isFull ? now : now + self.options.pollInterval
        }
        for intake in intakes where self.isNew(intake.id) {
            switch intake.content {
            case .failure(let refusal): self.refuse(intake.id, nil, refusal)
            case .success(let event):
                guard let lane = intake.lane, self.lanes[lane]?.phase == .open, self.mayBegin(lane),
                    self.users[event.key.user, default: []].count < self.options.perUser,
                    let number = self.number(in: lane)
                else { continue }
                self.add(
                    intake.id, Entry(event: event, lane: lane, number: number, stage: .assigning(replacing: nil)))
                self.unassigned.append(intake.id)
            }
        }
    }

    package mutating func newUnread(at now: Int64) {
        self.isBusyWithIntake = false
        self.nextPoll = now + self.options.pause
    }

    /// - Parameter asked: as ``PostingStep/assign(_:)`` had them.
    package mutating func assigned(
        _ asked: [PostingAssignment], confirmed: Set<PostingID>, gone: Set<PostingID>, at now: Int64
    ) {
        self.isBusyWithIntake = false
        let ids = Set(asked.map(\.id))
        self.unassigned.removeAll { ids.contains($0) }
        for assignment in asked {
            if gone.contains(assignment.id), assignment.replacing == nil { self.counts.removed += 1 }
            // Of a lane that was lost and taken again meanwhile it is another one.
            guard let entry = self.entries[assignment.id], entry.number == assignment.number,
                case .assigning = entry.stage
            else { continue }
            if confirmed.contains(assignment.id) {
                self.entries[assignment.id]?.stage = .waiting
                self.makeReady(entry.user)
            } else {
                // Removed, or begun by somebody else.
                self.drop(assignment.id)
            }
        }
    }

    package mutating func unassigned(at now: Int64) {
        self.isBusyWithIntake = false
        self.nextAssign = now + self.options.pause
    }

    package mutating func sent(_ send: PostingSend, _ outcome: PostingOutcome, at now: Int64) {
        guard var entry = self.entries[send.id], entry.stage == .sending, entry.number.number == send.mark.number,
            entry.attempts == send.attempt
        else { return }
        if !outcome.isComplete, now - (entry.firstSent ?? now) < self.options.retryFor {
            entry.stage = .pausing(until: now + self.options.pause)
            self.entries[send.id] = entry
            return
        }
        entry.stage = .settling
        self.entries[send.id] = entry
        self.unsettled.append(
            PostingSettlement(
                id: send.id, number: entry.number,
                result: .delivered(
                    receipt: outcome.receipt, isComplete: outcome.isComplete, attempts: entry.attempts)))
        if !outcome.isComplete { self.counts.incomplete += 1 }
        self.leave(send.id, entry.user)
    }

    /// - Parameter failed: those that the server refused to mark.
    package mutating func settled(_ settlements: [PostingSettlement], failed: Set<PostingID>, at now: Int64) {
        self.isBusyWithSettling = false
        let done = Set(settlements.map(\.id)).subtracting(failed)
        self.unsettled.removeAll { done.contains($0.id) }
        if !failed.isEmpty { self.nextSettle = now + self.options.pause }
        for settlement in settlements where done.contains(settlement.id) {
            switch settlement.result {
            case .delivered: self.counts.delivered += 1
            case .refused(let refusal): self.counts.refused[refusal.code, default: 0] += 1
            }
            self.refusing.remove(settlement.id)
            if let entry = self.entries[settlement.id], entry.stage == .settling { self.forget(settlement.id, entry) }
        }
    }

    package mutating func unsettled(at now: Int64) {
        self.isBusyWithSettling = false
        self.nextSettle = now + self.options.pause
    }

    // MARK: Keeping

    func isNew(_ id: PostingID) -> Bool { self.entries[id] == nil && !self.refusing.contains(id) }

    mutating func refuse(_ id: PostingID, _ number: PostingNumber?, _ refusal: PostingRefusal) {
        self.refusing.insert(id)
        self.unsettled.append(PostingSettlement(id: id, number: number, result: .refused(refusal)))
    }

    /// The next number of a lane; nil for one that this node does not hold.
    mutating func number(in lane: Int) -> PostingNumber? {
        guard let record = self.lanes[lane]?.record else { return nil }
        let counter = (self.lanes[lane]?.counter ?? 0) + 1
        self.lanes[lane]?.counter = counter
        return PostingNumber(stream: record.stream, generation: record.generation, counter: counter)
    }

    /// Whether a lane may have a further number, or one posting that takes long holds up its floor.
    func mayBegin(_ lane: Int) -> Bool {
        guard let lane = self.lanes[lane], let oldest = lane.numbers.min() else { return true }
        let first = oldest >> 32 == lane.record.generation ? oldest & 0xFFFF_FFFF : 0
        return lane.counter - first < self.options.window
    }

    mutating func add(_ id: PostingID, _ entry: Entry) {
        self.entries[id] = entry
        self.users[entry.user, default: []].append(id)
        self.lanes[entry.lane]?.numbers.insert(entry.number.number)
    }

    /// The first of a user is sent, unless it is under way.
    mutating func makeReady(_ user: String) {
        guard let first = self.users[user]?.first, self.entries[first]?.stage == .waiting, !self.ready.contains(first)
        else { return }
        self.ready.append(first)
    }

    /// The next of the user's comes.
    private mutating func leave(_ id: PostingID, _ user: String) {
        self.users[user]?.removeAll { $0 == id }
        if self.users[user]?.isEmpty == true { self.users[user] = nil }
        self.makeReady(user)
    }

    private mutating func forget(_ id: PostingID, _ entry: Entry) {
        self.entries[id] = nil
        self.lanes[entry.lane]?.numbers.remove(entry.number.number)
    }

    mutating func drop(_ id: PostingID) {
        guard let entry = self.entries[id] else { return }
        self.forget(id, entry)
        self.leave(id, entry.user)
    }
}
