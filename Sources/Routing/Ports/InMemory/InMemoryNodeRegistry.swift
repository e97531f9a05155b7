internal import Synchronization

/// Node records in this process: for one node without MongoDB, and for tests (several incarnations may share one).
package final class InMemoryNodeRegistry: NodeRegistry {
    private struct State {
        var records: [NodeID: NodeRecord] = [:]
        /// When tombstones go, milliseconds since 1970.
        var tombstones: [NodeID: Int64] = [:]
    }

    /// SPEC ND-4: how long a tombstone stands, in milliseconds.
    private static let tombstoneLifespan: Int64 = 3_600_000

    private let time: @Sendable () -> Int64
    private let fault: StoreFault?
    private let state = Mutex(State())

    /// - Parameter time: milliseconds since 1970: the server time of renewals, and for expiry.
    package init(fault: StoreFault? = nil, time: @escaping @Sendable () -> Int64 = { SystemClusterClock().wallTime() })
    {
        self.fault = fault
        self.time = time
    }

    package func register(_ record: NodeRecord) async throws(StoreError) {
        try await self.perform("nodes.register") { state, _ in
            if let old = state.records[record.id], old.state > .up { return }
            state.records[record.id] = record
        }
    }

    package func renew(_ id: NodeID, beat: Int64, intake: Int?) async throws(StoreError) -> Renewal {
        try await self.perform("nodes.renew") { state, now in
            let stored = state.records[id]
            switch stored?.state {
            case .up, .draining:
                state.records[id]?.beat = max(beat, stored?.beat ?? 0)
                if let intake { state.records[id]?.intake = intake }
                return Renewal(standing: .renewed, serverTime: now)
            case .superseded: return Renewal(standing: .superseded, serverTime: now)
            case .claimed, .gone, nil: return Renewal(standing: .lost, serverTime: now)
            }
        }
    }

    package func list() async throws(StoreError) -> DirectoryReading {
        try await self.perform("nodes.list") { state, _ in
            DirectoryReading(records: Array(state.records.values), isComplete: true)
        }
    }

    package func find(_ id: NodeID) async throws(StoreError) -> NodeRecord? {
        try await self.perform("nodes.find") { state, _ in state.records[id] }
    }

    package func suspect(_ id: NodeID, beat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool {
        try await self.perform("nodes.suspect") { state, _ in
            guard let record = state.records[id], record.state != .gone else { return false }
            return record.beat == beat
        }
    }

    package func claim(_ id: NodeID, expecting record: NodeRecord, by reaper: NodeID) async throws(StoreError) -> Bool {
        try await self.perform("nodes.claim") { state, _ in
            guard let stored = state.records[id], stored.state != .gone, stored.beat == record.beat,
                stored.claimedBy == record.claimedBy, stored.claimBeat == record.claimBeat
            else { return false }
            state.records[id]?.state = .claimed
            state.records[id]?.claimedBy = reaper
            state.records[id]?.claimBeat = record.claimBeat + 1
            return true
        }
    }

    package func renewClaim(_ id: NodeID, claimBeat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool {
        try await self.perform("nodes.renewClaim") { state, _ in
            guard let stored = state.records[id], stored.state == .claimed, stored.claimedBy == reaper else {
                return false
            }
            state.records[id]?.claimBeat = max(claimBeat, stored.claimBeat)
            return true
        }
    }

    package func advance(_ id: NodeID, to next: NodeRecord.State) async throws(StoreError) {
        try await self.perform("nodes.advance") { state, now in
            guard let stored = state.records[id], stored.state < next else { return }
            state.records[id]?.state = next
            if next == .gone { state.tombstones[id] = now + Self.tombstoneLifespan }
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
        return self.state.withLock { state in
            for (id, time) in state.tombstones where time <= now {
                state.records[id] = nil
                state.tombstones[id] = nil
            }
            return body(&state, now)
        }
    }
}
