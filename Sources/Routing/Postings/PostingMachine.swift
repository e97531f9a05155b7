/// Decides what a node does for the outbox. Owns no store, no clock and no thread: time is an argument, work goes out as
/// ``PostingStep`` and comes back as an event.
///
/// What makes each posting arrive once: it has a number, stored with a majority, before the first attempt to send it. The
/// lease is looked at *after* that was acknowledged, so a node that takes the lane over finds every number under which
/// something may have been sent, and repeats with the same; receivers drop what they have (``PostingLedger``). A posting that
/// is found later with a number that nobody has in his hands was never sent, and gets a new one.
package struct PostingMachine {
    struct Lane {
        enum Phase { case adopting, open, closing }

        var record: PostingLaneRecord
        var phase: Phase
        var counter: Int64 = 0
        /// Of what is under way.
        var numbers: Set<Int64> = []

        /// Everything below is done with.
        var floor: Int64 {
            let record = self.record
            return self.numbers.min()
                ?? PostingNumber(stream: record.stream, generation: record.generation, counter: self.counter + 1).number
        }
    }

    struct Entry {
        enum Stage: Equatable {
            /// Its number is not known to be stored.
            case assigning(replacing: PostingNumber?)
            case waiting
            case sending
            case pausing(until: Int64)
            case settling
        }

        let event: PreparedPosting
        let lane: Int
        var number: PostingNumber
        var stage: Stage
        /// One more for a posting that was taken over: its holder before may have sent it.
        var attempts = 0
        /// By this node.
        var firstSent: Int64?

        var user: String { self.event.key.user }
    }

    /// What happened, for metrics; taken by ``takeCounts()``.
    package struct Counts: Sendable, Equatable {
        package var delivered = 0
        package var incomplete = 0
        package var refused: [PostingRefusal.Code: Int] = [:]
        package var repeats = 0
        package var adopted = 0
        package var strays = 0
        package var removed = 0

        package init() {}
    }

    let own: NodeID
    let options: PostingOptions
    var lanes: [Int: Lane] = [:]
    var entries: [PostingID: Entry] = [:]
    /// By user, in the order in which they are sent; only the first is under way.
    var users: [String: [PostingID]] = [:]
    /// Firsts of their users that may be sent.
    var ready: [PostingID] = []
    /// Refused, and not yet marked so.
    var refusing: Set<PostingID> = []
    var unassigned: [PostingID] = []
    var unsettled: [PostingSettlement] = []
    var changes: [PostingLaneChange] = []
    /// How many of them are under way.
    var changing = 0
    var counts = Counts()

    var isBusyWithLanes = false
    var isBusyWithIntake = false
    var isBusyWithBegun = false
    var isBusyWithSettling = false
    var nextLanes = Int64.min
    var nextChanges = Int64.min
    var nextPoll = Int64.min
    var nextBegun = Int64.min
    var nextSweep = Int64.min
    var nextAssign = Int64.min
    var nextSettle = Int64.min

    package init(own: NodeID, options: PostingOptions = PostingOptions()) {
        self.own = own
        self.options = options
    }

    /// Lanes that this node holds.
    package var laneCount: Int { self.lanes.count }
    /// Postings that it has in its hands.
    package var count: Int { self.entries.count + self.refusing.count }

    package mutating func takeCounts() -> Counts {
        defer { self.counts = Counts() }
        return self.counts
    }

    /// Something was put into the outbox.
    package mutating func poke() { self.nextPoll = .min }

    // MARK: What to do

    /// - Parameters:
    ///   - mayWork: the lease of this node is fresh, at this moment (SPEC ND-3).
    ///   - isLeaving: nothing new is begun, and lanes are given up.
    package mutating func next(at now: Int64, mayWork: Bool, isLeaving: Bool = false) -> [PostingStep] {
        var steps: [PostingStep] = []
        if isLeaving { for lane in self.lanes.keys { self.lanes[lane]?.phase = .closing } }
        // Of a lane or an end that was lost meanwhile the store's compare-and-set thinks the same: it may be late.
        if !self.isBusyWithSettling, !self.unsettled.isEmpty, now >= self.nextSettle {
            self.isBusyWithSettling = true
            steps.append(.settle(Array(self.unsettled.prefix(self.options.batch))))
        }
        guard mayWork else { return steps }
        self.giveUpClosedLanes()
        if let step = self.nextLaneStep(at: now, isLeaving: isLeaving) { steps.append(step) }
        if let step = self.nextBegunRead(at: now) { steps.append(step) }
        if let step = self.nextIntake(at: now) { steps.append(step) }
        self.endPauses(at: now)
        for id in self.ready { if let send = self.send(id, at: now) { steps.append(.send(send)) } }
        self.ready = []
        return steps
    }

    /// When ``next(at:mayWork:isLeaving:)`` has something to do without an event; at the latest in a second.
    package func wake(after now: Int64) -> Int64 {
        var wake = now + Nanoseconds.seconds(1)
        func consider(_ time: Int64) { if time > now { wake = min(wake, time) } }
        consider(self.nextLanes)
        if !self.changes.isEmpty { consider(self.nextChanges) }
        if !self.openLanes.isEmpty { consider(self.nextPoll) }
        if !self.unassigned.isEmpty { consider(self.nextAssign) }
        if !self.unsettled.isEmpty { consider(self.nextSettle) }
        if !self.lanes.isEmpty {
            consider(self.nextBegun)
            consider(self.nextSweep)
        }
        for ids in self.users.values {
            if let first = ids.first, case .pausing(let until)? = self.entries[first]?.stage { consider(until) }
        }
        return wake
    }

    /// Nothing is left to do for a node that leaves.
    package var isIdle: Bool { self.lanes.isEmpty && self.unsettled.isEmpty && !self.isBusyWithLanes }

    var openLanes: [Int] { self.lanes.filter { $0.value.phase == .open }.map(\.key).sorted() }

    /// What is due to be read is read first: a change that somebody else was first with is not tried for ever.
    private mutating func nextLaneStep(at now: Int64, isLeaving: Bool) -> PostingStep? {
        guard !self.isBusyWithLanes else { return nil }
        if now >= self.nextLanes {
            self.isBusyWithLanes = true
            return .readLanes
        }
        if isLeaving {
            self.changes.removeAll { if case .give = $0 { false } else { true } }
        }
        guard !self.changes.isEmpty, now >= self.nextChanges else { return nil }
        self.isBusyWithLanes = true
        self.changing = self.changes.count
        defer { self.changes = [] }
        return .changeLanes(self.changes)
    }

    private mutating func nextBegunRead(at now: Int64) -> PostingStep? {
        guard !self.isBusyWithBegun, now >= self.nextBegun else { return nil }
        // One at a time: what a dead node had in its hands is bounded, what sixteen had is less so.
        if let (number, lane) = self.lanes.filter({ $0.value.phase == .adopting }).min(by: { $0.key < $1.key }) {
            self.isBusyWithBegun = true
            return .readBegun(lanes: [number], adopting: lane.record.generation)
        }
        guard now >= self.nextSweep, !self.openLanes.isEmpty else { return nil }
        self.isBusyWithBegun = true
        self.nextSweep = now + self.options.sweepInterval
        return .readBegun(lanes: self.openLanes, adopting: nil)
    }

    private mutating func nextIntake(at now: Int64) -> PostingStep? {
        guard !self.isBusyWithIntake else { return nil }
        self.unassigned.removeAll { self.entries[$0] == nil }
        if !self.unassigned.isEmpty {
            guard now >= self.nextAssign else { return nil }
            self.isBusyWithIntake = true
            return .assign(
                self.unassigned.compactMap { id in
                    guard let entry = self.entries[id], case .assigning(let replacing) = entry.stage else { return nil }
                    return PostingAssignment(id: id, number: entry.number, replacing: replacing)
                })
        }
        let room = min(self.options.inFlight - self.count, self.options.batch)
        let lanes = self.openLanes.filter(self.mayBegin)
        guard now >= self.nextPoll, room > 0, !lanes.isEmpty else { return nil }
        self.isBusyWithIntake = true
        let full = self.users.filter { $0.value.count >= self.options.perUser }.map(\.key).sorted()
        return .readNew(lanes: lanes, limit: room, except: full)
    }

    private mutating func endPauses(at now: Int64) {
        for ids in self.users.values {
            guard let first = ids.first, case .pausing(let until)? = self.entries[first]?.stage, until <= now
            else { continue }
            self.entries[first]?.stage = .waiting
            self.ready.append(first)
        }
    }

    private mutating func send(_ id: PostingID, at now: Int64) -> PostingSend? {
        guard var entry = self.entries[id], entry.stage == .waiting, self.users[entry.user]?.first == id,
            let lane = self.lanes[entry.lane]
        else { return nil }
        entry.stage = .sending
        entry.attempts += 1
        if entry.attempts > 1 { self.counts.repeats += 1 }
        entry.firstSent = entry.firstSent ?? now
        self.entries[id] = entry
        return PostingSend(
            id: id, event: entry.event,
            mark: PostingMark(stream: entry.number.stream, number: entry.number.number, floor: lane.floor),
            attempt: entry.attempts)
    }
}
