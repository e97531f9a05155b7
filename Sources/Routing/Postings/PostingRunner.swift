internal import Synchronization

/// Serves the outbox for one incarnation of a node: carries out what a ``PostingMachine`` decides.
package final class PostingRunner: Sendable {
    /// What it works with.
    package struct Surroundings: Sendable {
        package var own: NodeID
        package var store: any PostingStore
        package var clock: any ClusterClock
        package var view: any ClusterView
        /// Nodes that are not held to be dead, read so that those that hold a lane and are not among them are dead.
        /// - Parameter holders: of lanes.
        package var live: @Sendable (_ holders: Set<NodeID>) async throws(StoreError) -> Set<NodeID>
        /// Makes what can be sent of a posting.
        package var prepare: @Sendable (Posting) -> Result<PreparedPosting, PostingRefusal>
        /// The lane of a user.
        package var lane: @Sendable (String) -> Int
        /// One attempt; the completion is called once, on any thread.
        package var send: @Sendable (PostingSend, @escaping @Sendable (PostingOutcome) -> Void) -> Void
        /// One attempt, after which the nodes are asked what they have written.
        package var confirm: @Sendable (PostingSend) async -> PostingOutcome
        /// Told about failures of the store; everything is repeated.
        package var failed: @Sendable (StoreError) -> Void

        package init(
            own: NodeID, store: any PostingStore, clock: any ClusterClock, view: any ClusterView,
            live: @escaping @Sendable (_ holders: Set<NodeID>) async throws(StoreError) -> Set<NodeID>,
            prepare: @escaping @Sendable (Posting) -> Result<PreparedPosting, PostingRefusal>,
            lane: @escaping @Sendable (String) -> Int,
            send: @escaping @Sendable (PostingSend, @escaping @Sendable (PostingOutcome) -> Void) -> Void,
            confirm: @escaping @Sendable (PostingSend) async -> PostingOutcome,
            failed: @escaping @Sendable (StoreError) -> Void
        ) {
            self.own = own
            self.store = store
            self.clock = clock
            self.view = view
            self.live = live
            self.prepare = prepare
            self.lane = lane
            self.send = send
            self.confirm = confirm
            self.failed = failed
        }
    }

    private struct State {
        var machine: PostingMachine
        var isLeaving = false
    }

    private let surroundings: Surroundings
    private let options: PostingOptions
    private let metrics = PostingMetrics()
    private let state: Mutex<State>
    private let signal = WakeSignal()
    private let left = WakeSignal()

    package init(_ surroundings: Surroundings, options: PostingOptions = PostingOptions()) {
        self.surroundings = surroundings
        self.options = options
        self.state = Mutex(State(machine: PostingMachine(own: surroundings.own, options: options)))
    }

    /// Something may have been put into the outbox. From any thread.
    package func poke() { self.update { $0.poke() } }

    /// Begins nothing new, and gives up its lanes; returns when it has, after `seconds` in any case: what is left then is found
    /// by whoever takes the lanes over.
    package func leave(within seconds: Int64) async {
        self.state.withLock { $0.isLeaving = true }
        self.signal.raise()
        await self.left.wait(
            until: self.surroundings.clock.now() + Nanoseconds.seconds(seconds), clock: self.surroundings.clock)
    }

    /// Works until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.measure() }
            while !Task.isCancelled {
                let now = self.surroundings.clock.now()
                let (steps, wake, isLeft) = self.state.withLock { state in
                    // The lease, as it is after everything that the machine was told.
                    let steps = state.machine.next(
                        at: now, mayWork: self.surroundings.view.standing.mayAccept, isLeaving: state.isLeaving)
                    self.metrics.note(
                        state.machine.takeCounts(), lanes: state.machine.laneCount, inFlight: state.machine.count)
                    return (steps, state.machine.wake(after: now), state.isLeaving && state.machine.isIdle)
                }
                for step in steps { self.begin(step, &group) }
                if isLeft { self.left.raise() }
                await self.signal.wait(until: wake, clock: self.surroundings.clock)
            }
            group.cancelAll()
        }
    }

    private func update(_ body: (inout PostingMachine) -> Void) {
        self.state.withLock { body(&$0.machine) }
        self.signal.raise()
    }

    private func begin(_ step: PostingStep, _ group: inout DiscardingTaskGroup) {
        switch step {
        case .send(let send) where !send.event.isConfirmed:
            self.surroundings.send(send) { outcome in self.sent(send, outcome) }
        case .send(let send):
            group.addTask { self.sent(send, await self.surroundings.confirm(send)) }
        case .readLanes: group.addTask { await self.readLanes() }
        case .changeLanes(let changes): group.addTask { await self.change(changes) }
        case .readNew(let lanes, let limit, let users):
            group.addTask { await self.readNew(lanes, limit, users) }
        case .readBegun(let lanes, let generation):
            group.addTask { await self.readBegun(lanes, adopting: generation) }
        case .assign(let assignments): group.addTask { await self.assign(assignments) }
        case .settle(let settlements): group.addTask { await self.settle(settlements) }
        }
    }

    private func sent(_ send: PostingSend, _ outcome: PostingOutcome) {
        let now = self.surroundings.clock.now()
        self.update { $0.sent(send, outcome, at: now) }
    }

    private var now: Int64 { self.surroundings.clock.now() }

    /// - Returns: nil after a failure, which is told and counted.
    private func attempt<Value: Sendable>(
        _ body: () async throws(StoreError) -> Value
    ) async -> Value? {
        do throws(StoreError) {
            return try await body()
        } catch {
            self.metrics.failed()
            if !Task.isCancelled { self.surroundings.failed(error) }
            return nil
        }
    }

    private func readLanes() async {
        let read = await self.attempt { () async throws(StoreError) in
            let records = try await self.surroundings.store.lanes()
            return (records, try await self.surroundings.live(Set(records.compactMap(\.holder))))
        }
        self.update { machine in
            if let (records, live) = read {
                machine.lanesRead(records, live: live, at: self.now)
            } else {
                machine.lanesUnread(at: self.now)
            }
        }
    }

    private func change(_ changes: [PostingLaneChange]) async {
        let changed = await self.attempt { () async throws(StoreError) in
            var changed: [PostingLaneRecord] = []
            for change in changes {
                if let record = try await self.surroundings.store.change(change, by: self.surroundings.own) {
                    changed.append(record)
                }
            }
            return changed
        }
        self.update { machine in
            if let changed {
                machine.lanesChanged(changed, at: self.now)
            } else {
                machine.lanesUnchanged(at: self.now)
            }
        }
    }

    private func readNew(_ lanes: [Int], _ limit: Int, _ users: [String]) async {
        let readings = await self.attempt { () async throws(StoreError) in
            try await self.surroundings.store.new(lanes: lanes, limit: limit, except: users)
        }
        let intakes = readings?.map(self.intake)
        self.update { machine in
            if let intakes {
                machine.newRead(intakes, limit: limit, at: self.now)
            } else {
                machine.newUnread(at: self.now)
            }
        }
    }

    private func readBegun(_ lanes: [Int], adopting generation: Int64?) async {
        let readings = await self.attempt { () async throws(StoreError) in
            try await self.surroundings.store.begun(lanes: lanes)
        }
        let intakes = readings?.map(self.intake)
        self.update { machine in
            if let intakes {
                machine.begunRead(lanes, adopting: generation, intakes, at: self.now)
            } else {
                machine.begunUnread(at: self.now)
            }
        }
    }

    private func assign(_ assignments: [PostingAssignment]) async {
        let answer = await self.attempt { () async throws(StoreError) in
            try await self.surroundings.store.assign(assignments)
        }
        self.update { machine in
            if let answer {
                machine.assigned(assignments, confirmed: answer.confirmed, gone: answer.gone, at: self.now)
            } else {
                machine.unassigned(at: self.now)
            }
        }
    }

    private func settle(_ settlements: [PostingSettlement]) async {
        let failed = await self.attempt { () async throws(StoreError) in
            try await self.surroundings.store.settle(settlements, now: self.surroundings.view.clusterTime)
        }
        self.update { machine in
            if let failed {
                machine.settled(settlements, failed: failed, at: self.now)
            } else {
                machine.unsettled(at: self.now)
            }
        }
    }

    private func intake(_ reading: PostingReading) -> PostingIntake {
        switch reading {
        case .malformed(let id, let number, let refusal):
            PostingIntake(id: id, lane: nil, number: number, content: .failure(refusal))
        case .posting(let posting):
            PostingIntake(
                id: posting.id, lane: self.surroundings.lane(posting.user), number: posting.number,
                content: self.surroundings.prepare(posting))
        }
    }

    /// How much waits, of all lanes: every node says so, whichever of them are there.
    private func measure() async {
        var since: Int64?
        while !Task.isCancelled {
            if let backlog = await self.attempt({ () async throws(StoreError) in
                try await self.surroundings.store.backlog()
            }) {
                let now = self.surroundings.view.clusterTime
                since = backlog.count == 0 ? nil : since ?? now
                // One that does not tell its age is as old as it is known here.
                let oldest = backlog.oldest ?? since ?? now
                self.metrics.measured(
                    count: backlog.count, age: backlog.count == 0 ? 0 : Double(max(now - oldest, 0)) / 1_000)
            }
            await self.surroundings.clock.sleep(until: self.now + self.options.measureInterval)
        }
    }
}
