internal import Synchronization

/// One incarnation's place in the cluster: registers, renews, reads the directory, suspects and claims (SPEC ND-2 to
/// ND-5).
///
/// ``standing``, ``claimedNodes``, ``clusterTime`` and ``record(of:)`` are for hot paths, on any thread.
package final class Membership: ClusterView, NodeDirectory {
    private struct State {
        var lease: LeaseMachine
        var directory: DirectoryMachine
        var registered: Int64 = 0
        /// Nodes that were looked for and don't exist, until when that is believed.
        var missing: [NodeID: Int64] = [:]
        var isEndTold = false
    }

    /// How often suspicions and the lease are looked at.
    private static let tick = Nanoseconds.milliseconds(200)
    /// How long a node that does not exist is not read again.
    private static let missingLifespan = Nanoseconds.seconds(2)
    private static let maximumMissing = 1_024
    /// Connects a second: what is less is no news.
    private static let leastNews = 10
    private static let unconfirmed = Int64.min

    /// The record as it was registered.
    package let own: NodeRecord
    private let registry: any NodeRegistry
    private let clock: any ClusterClock
    private let leaseOptions: LeaseOptions
    private let directoryOptions: DirectoryOptions
    private let observer: MembershipObserver
    private let state: Mutex<State>
    private let over = WakeSignal()
    // Copies of what the lease says, for hot paths.
    private let confirmed = Atomic<Int64>(Membership.unconfirmed)
    private let end = Atomic<UInt8>(0)
    private let timeOffset: Atomic<Int64>
    private let published = Mutex(DirectorySnapshot())
    /// Below 0: nothing is said of it.
    private let intake = Atomic<Int>(-1)
    /// What the others were told of it last.
    private let toldIntake: Atomic<Int>

    package init(
        record: NodeRecord, registry: any NodeRegistry, clock: any ClusterClock, lease: LeaseOptions = LeaseOptions(),
        directory: DirectoryOptions = DirectoryOptions(), observer: MembershipObserver = MembershipObserver()
    ) {
        // Whoever is claimed has stopped calling handlers: both ages start with the same renewal (LC-3).
        precondition(lease.silence <= directory.claimAfter, "a node must fall silent before it can be claimed")
        self.own = record
        self.registry = registry
        self.clock = clock
        self.leaseOptions = lease
        self.directoryOptions = directory
        self.observer = observer
        self.state = Mutex(
            State(
                lease: LeaseMachine(options: lease),
                directory: DirectoryMachine(node: record.id, name: record.name, options: directory)))
        self.toldIntake = Atomic(record.intake ?? -1)
        self.timeOffset = Atomic(clock.wallTime() - clock.now() / 1_000_000)
    }

    // MARK: Hot paths

    package var standing: LeaseStanding {
        let confirmed = self.confirmed.load(ordering: .relaxed)
        guard confirmed != Self.unconfirmed else { return .isolated }
        let end: LeaseMachine.End? =
            switch self.end.load(ordering: .relaxed) {
            case 0: nil
            case 1: .superseded
            default: .claimed
            }
        return LeaseMachine.standing(age: self.clock.now() - confirmed, end: end, options: self.leaseOptions)
    }

    package var clusterTime: Int64 { self.clock.now() / 1_000_000 + self.timeOffset.load(ordering: .relaxed) }

    package var snapshot: DirectorySnapshot { self.published.withLock { $0 } }

    package var claimedNodes: Set<NodeID> { self.published.withLock { $0.claimed } }

    package func record(of node: NodeID) -> NodeRecord? { self.published.withLock { $0.records[node] } }

    package func resolve(_ node: NodeID) async -> NodeRecord? {
        if let record = self.record(of: node) { return record }
        let now = self.clock.now()
        let isMissing = self.state.withLock { state in (state.missing[node] ?? .min) > now }
        if isMissing { return nil }
        guard let found = await self.attempt({ () async throws(StoreError) in try await self.registry.find(node) })
        else { return nil }
        let answered = self.clock.now()
        guard let record = found else {
            self.state.withLock { state in
                if state.missing.count >= Self.maximumMissing { state.missing = [:] }
                state.missing[node] = answered + Self.missingLifespan
            }
            return nil
        }
        self.update { $0.directory.found(record, at: answered) }
        return self.record(of: node)
    }

    /// All nodes that may hold caches or sockets, read from the primaries for this call (ID-13, broadcasts).
    package func freshNodes() async throws(StoreError) -> [NodeRecord] {
        let reading = try await self.registry.list()
        let now = self.clock.now()
        self.update { $0.directory.read(reading, at: now) }
        guard reading.isComplete else {
            throw StoreError(.unavailable, operation: "nodes.list", message: "a shard did not answer")
        }
        return reading.records.filter { $0.state < .claimed }
    }

    /// What the next renewal tells the others (ND-12). It comes early where it is half or twice as much as before: who drains
    /// is to know while clients are still to be sent away.
    /// - Parameter intake: connects a second that this node can take.
    package func report(intake: Int) { self.intake.store(max(intake, 0), ordering: .relaxed) }

    /// What was reported last; nil before.
    package var ownIntake: Int? {
        let intake = self.intake.load(ordering: .relaxed)
        return intake < 0 ? nil : intake
    }

    /// ``DirectoryMachine/intake(at:)``, as of the newest reading.
    package var intakeOfOthers: Double? {
        let now = self.clock.now()
        return self.state.withLock { $0.directory.intake(at: now) }
    }

    /// Reads the directory once more than is due. What fails is told to the observer, and changes nothing.
    package func readDirectory() async {
        guard let reading = await self.attempt({ () async throws(StoreError) in try await self.registry.list() })
        else { return }
        let now = self.clock.now()
        self.update { $0.directory.read(reading, at: now) }
    }

    // MARK: Life

    /// Registers, supersedes older incarnations of the same name, and reads the directory once. After that the node may
    /// accept; before it, it must not cache anything (ND-2).
    package func register() async throws(StoreError) {
        let earlier = self.own.name == nil ? [] : try await self.registry.list().records
        let sent = self.clock.now()
        try await self.registry.register(self.own)
        self.state.withLock { state in
            state.lease.registered(sentAt: sent)
            state.registered = sent
        }
        self.publish()
        for record in earlier
        where record.name == self.own.name && record.id != self.own.id && record.state < .superseded {
            try await self.registry.advance(record.id, to: .superseded)
        }
        await self.renew()
        let reading = try await self.registry.list()
        let now = self.clock.now()
        self.update { $0.directory.read(reading, at: now) }
    }

    /// Keeps the membership until the incarnation is over, or the task is cancelled (`nil`).
    package func run() async -> LeaseMachine.End? {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.runRenewals() }
            group.addTask { await self.runReadings() }
            group.addTask { await self.runSuspicions() }
            await self.over.wait()
            group.cancelAll()
        }
        return self.state.withLock { $0.lease.end }
    }

    /// Tells the others that clients are asked to leave; the node stays routable (ND-12).
    package func announceDraining() async throws(StoreError) {
        try await self.registry.advance(self.own.id, to: .draining)
    }

    /// Leaves in good order: nothing may be left to reap (ND-12).
    package func deregister() async throws(StoreError) {
        try await self.registry.advance(self.own.id, to: .gone)
    }

    // MARK: Loops

    private func runRenewals() async {
        while !Task.isCancelled {
            let (next, early) = self.state.withLock { ($0.lease.nextRenewal, $0.lease.earlyRenewal) }
            guard let next, let early else { return }
            let now = self.clock.now()
            if next <= now || (early <= now && self.hasNews) {
                await self.renew()
            } else {
                await self.clock.sleep(until: min(next, max(early, now + Self.tick)))
            }
        }
    }

    private var hasNews: Bool {
        let intake = self.intake.load(ordering: .relaxed)
        let told = self.toldIntake.load(ordering: .relaxed)
        guard intake >= 0, told >= 0 else { return intake >= 0 }
        let (less, more) = (min(intake, told), max(intake, told))
        return more - less >= Self.leastNews && more >= 2 * less
    }

    private func renew() async {
        let sent = self.clock.now()
        let beat = self.state.withLock { $0.lease.renew(at: sent) }
        let intake = self.intake.load(ordering: .relaxed)
        let renewal = await self.attempt { () async throws(StoreError) in
            try await self.registry.renew(self.own.id, beat: beat, intake: intake < 0 ? nil : intake)
        }
        let now = self.clock.now()
        if let renewal, renewal.standing == .renewed {
            self.setClock(renewal.serverTime, between: sent, now)
            self.toldIntake.store(intake, ordering: .relaxed)
        }
        self.state.withLock { $0.lease.answered(renewal?.standing, at: now) }
        self.publish()
    }

    /// The primary has looked at its clock between the two. What this node goes by stays where that may well be right: else
    /// each slow answer would make its time jump, and connections that came one after the other would differ in age.
    private func setClock(_ serverTime: Int64, between sent: Int64, _ now: Int64) {
        let offset = self.timeOffset.load(ordering: .relaxed)
        if (serverTime - now / 1_000_000 - 1...serverTime - sent / 1_000_000 + 1).contains(offset) { return }
        self.timeOffset.store(serverTime - (sent + now) / 2_000_000, ordering: .relaxed)
    }

    private func runReadings() async {
        while !Task.isCancelled {
            await self.clock.sleep(until: self.clock.now() + self.directoryOptions.reading)
            if Task.isCancelled { return }
            guard let reading = await self.attempt({ () async throws(StoreError) in try await self.registry.list() })
            else { continue }
            let now = self.clock.now()
            self.update { $0.directory.read(reading, at: now) }
            let rivals = self.state.withLock { $0.directory.rivals(at: now, registered: $0.registered) }
            for rival in rivals {
                _ = await self.attempt { () async throws(StoreError) in
                    try await self.registry.advance(rival, to: .superseded)
                }
            }
        }
    }

    private func runSuspicions() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let now = self.clock.now()
                let actions = self.state.withLock { state -> [DirectoryMachine.Action] in
                    state.lease.check(at: now)
                    return state.lease.end == nil ? state.directory.due(at: now) : []
                }
                self.publish()
                for action in actions { group.addTask { await self.perform(action) } }
                await self.clock.sleep(until: now + Self.tick)
            }
        }
    }

    private func perform(_ action: DirectoryMachine.Action) async {
        switch action {
        case .suspect(let id, let beat):
            let isSame = await self.attempt { () async throws(StoreError) in
                try await self.registry.suspect(id, beat: beat, by: self.own.id)
            }
            let now = self.clock.now()
            self.state.withLock { $0.directory.suspected(id, isSame: isSame, at: now) }
        case .claim(let id, let record):
            let isWon = await self.attempt { () async throws(StoreError) in
                try await self.registry.claim(id, expecting: record, by: self.own.id)
            }
            let now = self.clock.now()
            self.update { $0.directory.claimed(id, isWon: isWon, expecting: record, at: now) }
        }
    }

    // MARK: Results

    private func attempt<R: Sendable>(_ body: () async throws(StoreError) -> R) async -> R? {
        do {
            return try await body()
        } catch {
            if !Task.isCancelled { self.observer.failed(error) }
            return nil
        }
    }

    private func update(_ body: (inout State) -> [DirectoryMachine.Event]) {
        let events = self.state.withLock { state -> [DirectoryMachine.Event] in
            let events = body(&state)
            for case .selfSeen(let standing) in events { state.lease.met(standing) }
            // Inside, so that an older snapshot never follows a newer one.
            let snapshot = state.directory.snapshot
            self.published.withLock { $0 = snapshot }
            return events
        }
        self.publish()
        for event in events {
            switch event {
            case .nodeClaimed(let id): self.observer.nodeClaimed(id)
            case .reap(let id, let claim): self.observer.reap(id, claim)
            case .selfSeen: break
            }
        }
    }

    /// Copies the lease to where hot paths read it, and tells its end once.
    private func publish() {
        let end = self.state.withLock { state -> LeaseMachine.End? in
            self.confirmed.store(state.lease.confirmed ?? Self.unconfirmed, ordering: .relaxed)
            guard let end = state.lease.end else { return nil }
            self.end.store(end == .superseded ? 1 : 2, ordering: .relaxed)
            defer { state.isEndTold = true }
            return state.isEndTold ? nil : end
        }
        guard let end else { return }
        self.observer.ended(end)
        self.over.raise()
    }
}
