internal import DequeModule
internal import Synchronization

/// Route documents in this process: for one node without MongoDB, and for tests (several nodes may share one).
package final class InMemoryRouteStore: RouteStore {
    /// In an object of its own: a table has room for a third more documents than it holds.
    private final class Stored: Sendable {
        let document: RouteDocument

        init(_ document: RouteDocument) { self.document = document }
    }

    private struct State {
        var documents: [RouteKey: Stored] = [:]
        /// `live.n` and `out.n`.
        var holders: [NodeID: Set<RouteKey>] = [:]
        /// `due`, by the second that it lies in.
        var dues: [Int64: Set<RouteKey>] = [:]
        /// When documents that hold nothing go, oldest first.
        var expiries: Deque<(time: Int64, key: RouteKey)> = []
    }

    package let shardNames = ["memory"]
    /// Documents, 4 million unless told; beyond: `busy`.
    private let capacity: Int
    /// Documents that hold nothing, 100,000 unless told; beyond, the oldest go before their time. A new one starts its
    /// `seq` at the current second (SPEC LC-1), so nothing falls back.
    private let emptyCapacity: Int
    private let time: @Sendable () -> Int64
    private let fault: StoreFault?
    private let state = Mutex(State())

    package let shardCount: Int

    /// - Parameter time: milliseconds since 1970, for expiry.
    package init(
        shardCount: Int = 1, capacity: Int = 4_000_000, emptyCapacity: Int = 100_000, fault: StoreFault? = nil,
        time: @escaping @Sendable () -> Int64 = { SystemClusterClock().wallTime() }
    ) {
        precondition(shardCount > 0)
        self.shardCount = shardCount
        self.capacity = capacity
        self.emptyCapacity = emptyCapacity
        self.fault = fault
        self.time = time
    }

    package func shard(of key: RouteKey) -> Int {
        // FNV-1a: the same in every process, unlike `hashValue`.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key.text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return Int(hash % UInt64(self.shardCount))
    }

    package func read(_ keys: [RouteKey], shard: Int) async throws(StoreError) -> [RouteKey: RouteDocument] {
        try await self.perform("routes.read") { state in
            var found: [RouteKey: RouteDocument] = [:]
            for key in keys { found[key] = state.documents[key]?.document }
            return found
        }
    }

    package func write(_ writes: [RouteWrite], shard: Int) async throws(StoreError) -> [RouteWriteOutcome] {
        try await self.perform("routes.write") { state in
            writes.map { write in
                let key = write.new.key
                let old = state.documents[key]?.document
                guard (old?.version ?? 0) == write.expectedVersion else { return .conflict }
                if old == nil, state.documents.count >= self.capacity {
                    return .failed(StoreError(.busy, operation: "routes.write", message: "the store is full"))
                }
                Self.index(old, write.new, &state)
                state.documents[key] = Stored(write.new)
                if let expires = write.new.expires, expires != old?.expires { state.expiries.append((expires, key)) }
                return .committed
            }
        }
    }

    package func keys(of node: NodeID, limit: Int) async throws(StoreError) -> [RouteKey] {
        try await self.perform("routes.keys") { state in Array((state.holders[node] ?? []).prefix(limit)) }
    }

    package func keys(dueBefore deadline: Int64, limit: Int) async throws(StoreError) -> [RouteKey] {
        try await self.perform("routes.due") { state in
            var found: [RouteKey] = []
            for second in state.dues.keys.filter({ $0 <= deadline / 1_000 }).sorted() {
                for key in state.dues[second] ?? [] where (state.documents[key]?.document.due ?? .max) < deadline {
                    guard found.count < limit else { return found }
                    found.append(key)
                }
            }
            return found
        }
    }

    /// Documents that are stored, for tests and metrics.
    package var count: Int { self.state.withLock { $0.documents.count } }

    private func perform<R: Sendable>(
        _ operation: String, _ body: @Sendable (inout State) -> R
    ) async throws(StoreError) -> R {
        guard let fault else { return self.locked(body) }
        return try await fault.wrap(operation) { () throws(StoreError) in self.locked(body) }
    }

    private func locked<R: Sendable>(_ body: @Sendable (inout State) -> R) -> R {
        let now = self.time()
        return self.state.withLock { state in
            self.expire(&state, now)
            return body(&state)
        }
    }

    /// Documents become empty in order of time, near enough: a late one delays what is behind it, by moments.
    private func expire(_ state: inout State, _ now: Int64) {
        while let (time, key) = state.expiries.first, time <= now || state.expiries.count > self.emptyCapacity {
            state.expiries.removeFirst()
            guard let document = state.documents[key]?.document, document.expires == time else { continue }
            Self.index(document, nil, &state)
            state.documents[key] = nil
        }
    }

    private static func index(_ old: RouteDocument?, _ new: RouteDocument?, _ state: inout State) {
        func isHeld(_ document: RouteDocument?, by node: NodeID) -> Bool {
            guard let document else { return false }
            return document.live.contains { $0.node == node } || document.outbox.contains { $0.owner == node }
        }
        func visitNodes(_ document: RouteDocument?, _ body: (NodeID) -> Void) {
            guard let document else { return }
            for connection in document.live { body(connection.node) }
            for transition in document.outbox { body(transition.owner) }
        }
        guard let key = (new ?? old)?.key else { return }
        visitNodes(old) { node in
            guard !isHeld(new, by: node) else { return }
            state.holders[node]?.remove(key)
            if state.holders[node]?.isEmpty == true { state.holders[node] = nil }
        }
        visitNodes(new) { node in if !isHeld(old, by: node) { state.holders[node, default: []].insert(key) } }
        let (earlier, later) = (old?.due.map { $0 / 1_000 }, new?.due.map { $0 / 1_000 })
        guard earlier != later else { return }
        if let earlier {
            state.dues[earlier]?.remove(key)
            if state.dues[earlier]?.isEmpty == true { state.dues[earlier] = nil }
        }
        if let later { state.dues[later, default: []].insert(key) }
    }
}
