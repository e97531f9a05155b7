internal import Synchronization

/// Links in this process: for one node without MongoDB, and for tests.
package final class InMemoryLinkStore: LinkStore {
    private struct State {
        var records: [LinkKey: LinkRecord] = [:]
        var opening: Set<LinkKey> = []
        /// When expired ones are looked for next: at twice the number that the last look left.
        var sweepSize = 1_024
    }

    /// Links, 1 million unless told; beyond: `busy`.
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

    package func find(_ key: LinkKey) async throws(StoreError) -> LinkRecord? {
        try await self.perform("links.read") { state, now in
            state.records[key].flatMap { ($0.expires ?? .max) > now ? $0 : nil }
        }
    }

    package func findLatest(_ key: LinkKey) async throws(StoreError) -> LinkRecord? { try await self.find(key) }

    package func write(_ write: LinkWrite) async throws(StoreError) -> Bool {
        let key = write.new.key
        let isWritten = try await self.perform("links.write") { state, now -> Bool? in
            if let expires = state.records[key]?.expires, expires <= now { state.records[key] = nil }
            guard write.fits(state.records[key]) else { return false }
            if write.expected == nil, !self.makeRoom(&state, now) { return nil }
            state.records[key] = write.new
            if write.new.state == .opening { state.opening.insert(key) } else { state.opening.remove(key) }
            return true
        }
        guard let isWritten else { throw StoreError(.busy, operation: "links.write", message: "the store is full") }
        return isWritten
    }

    package func opening(before deadline: Int64, limit: Int) async throws(StoreError) -> [LinkRecord] {
        try await self.perform("links.opening") { state, _ in
            let found = state.opening.compactMap { state.records[$0] }.filter { $0.changed < deadline }
            return Array(found.sorted { $0.changed < $1.changed }.prefix(limit))
        }
    }

    private func makeRoom(_ state: inout State, _ now: Int64) -> Bool {
        if state.records.count >= min(state.sweepSize, self.capacity) {
            state.records = state.records.filter { ($0.value.expires ?? .max) > now }
            state.sweepSize = max(1_024, state.records.count * 2)
        }
        return state.records.count < self.capacity
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
}
