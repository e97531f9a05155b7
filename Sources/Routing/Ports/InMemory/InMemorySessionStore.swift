internal import Synchronization

/// Sessions in this process: for one node without MongoDB, and for tests. They end with it.
package final class InMemorySessionStore: SessionStore {
    private struct Owner: Hashable {
        let domain: String
        let user: String
    }

    private struct State {
        var records: [[UInt8]: SessionRecord] = [:]
        var owners: [Owner: Set<[UInt8]>] = [:]
        /// When expired records are looked for next: at twice the size that the last look left.
        var sweepSize = 1_024
    }

    /// Records, 1 million unless told; beyond: `busy`.
    private let capacity: Int
    private let time: @Sendable () -> Int64
    private let fault: StoreFault?
    private let state = Mutex(State())

    /// - Parameter time: milliseconds since 1970, for expiry.
    package init(
        capacity: Int = 1_000_000, fault: StoreFault? = nil,
        time: @escaping @Sendable () -> Int64 = { SystemClusterClock().wallTime() }
    ) {
        self.capacity = capacity
        self.fault = fault
        self.time = time
    }

    package func find(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord? {
        try await self.perform("sessions.find") { state, now in Self.record(hash, state, now) }
    }

    package func find(_ hashes: [[UInt8]]) async throws(StoreError) -> [SessionRecord] {
        try await self.perform("sessions.find") { state, now in
            Set(hashes).compactMap { Self.record($0, state, now) }
        }
    }

    package func findLatest(_ hash: [UInt8]) async throws(StoreError) -> SessionRecord? {
        try await self.perform("sessions.findLatest") { state, now in Self.record(hash, state, now) }
    }

    package func insert(_ record: SessionRecord) async throws(StoreError) {
        let isTaken = try await self.perform("sessions.insert") { state, now -> Bool in
            if Self.record(record.hash, state, now) != nil { return true }
            if state.records.count >= min(state.sweepSize, self.capacity) { Self.sweep(&state, now) }
            guard state.records.count < self.capacity else { return false }
            state.records[record.hash] = record
            state.owners[Owner(domain: record.domain, user: record.user), default: []].insert(record.hash)
            return true
        }
        if !isTaken { throw StoreError(.busy, operation: "sessions.insert", message: "the store is full") }
    }

    package func invalidate(_ hash: [UInt8], reason: String) async throws(StoreError) {
        try await self.perform("sessions.invalidate") { state, now in
            guard Self.record(hash, state, now)?.isValid == true else { return }
            state.records[hash]?.isValid = false
            state.records[hash]?.reason = reason
        }
    }

    package func invalidateAll(
        domain: String, user: String, client: String?, reason: String
    ) async throws(StoreError) -> Int {
        try await self.perform("sessions.invalidateAll") { state, now in
            Self.invalidate(Owner(domain: domain, user: user), reason, &state, now) {
                client == nil || $0.client == client
            }
        }
    }

    package func invalidateChain(
        _ chain: [UInt8], domain: String, user: String, client: String, reason: String
    ) async throws(StoreError) -> Int {
        try await self.perform("sessions.invalidateChain") { state, now in
            Self.invalidate(Owner(domain: domain, user: user), reason, &state, now) {
                $0.client == client && $0.chain == chain
            }
        }
    }

    private static func invalidate(
        _ owner: Owner, _ reason: String, _ state: inout State, _ now: Int64, where isMeant: (SessionRecord) -> Bool
    ) -> Int {
        var count = 0
        for hash in state.owners[owner] ?? [] {
            guard let record = Self.record(hash, state, now), record.isValid, isMeant(record) else { continue }
            state.records[hash]?.isValid = false
            state.records[hash]?.reason = reason
            count += 1
        }
        return count
    }

    package func touch(_ hash: [UInt8], activity: Int64) async throws(StoreError) {
        try await self.perform("sessions.touch") { state, now in
            guard let record = Self.record(hash, state, now), record.activity < activity else { return }
            state.records[hash]?.activity = activity
        }
    }

    package func beginRenewal(
        _ hash: [UInt8], _ renewal: SessionRecord.Renewal
    ) async throws(StoreError) -> SessionRecord? {
        try await self.perform("sessions.beginRenewal") { state, now in
            guard let record = Self.record(hash, state, now) else { return nil }
            if record.isValid, record.renewal == nil { state.records[hash]?.renewal = renewal }
            return state.records[hash]
        }
    }

    package func noteSuccessorPresented(
        _ hash: [UInt8], successor: [UInt8], at moment: Int64
    ) async throws(StoreError) {
        try await self.perform("sessions.noteSuccessor") { state, now in
            guard let record = Self.record(hash, state, now), record.successorPresented == nil else { return }
            state.records[hash]?.successorPresented = moment
            state.records[hash]?.successor = successor
        }
    }

    private func perform<R: Sendable>(
        _ operation: String, _ body: @Sendable (inout State, Int64) -> R
    ) async throws(StoreError) -> R {
        guard let fault else { return self.locked(body) }
        return try await fault.wrap(operation) { () throws(StoreError) in self.locked(body) }
    }

    private func locked<R: Sendable>(_ body: @Sendable (inout State, Int64) -> R) -> R {
        let now = self.time()
        return self.state.withLock { body(&$0, now) }
    }

    private static func record(_ hash: [UInt8], _ state: State, _ now: Int64) -> SessionRecord? {
        state.records[hash].flatMap { $0.expires > now ? $0 : nil }
    }

    private static func sweep(_ state: inout State, _ now: Int64) {
        for record in state.records.values where record.expires <= now {
            let owner = Owner(domain: record.domain, user: record.user)
            state.records[record.hash] = nil
            state.owners[owner]?.remove(record.hash)
            if state.owners[owner]?.isEmpty == true { state.owners[owner] = nil }
        }
        state.sweepSize = max(1_024, state.records.count * 2)
    }
}
