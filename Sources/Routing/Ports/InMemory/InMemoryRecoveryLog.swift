internal import DequeModule
internal import Synchronization

/// The recovery log in this process: for one node without MongoDB, and for tests.
package final class InMemoryRecoveryLog: RecoveryLog {
    private struct State {
        var entries: [RouteKey?: Deque<RecoveryEntry>] = [:]
        /// Whose entry comes next in age, oldest first.
        var order: Deque<RouteKey?> = []
        var bytes = 0
        /// The time of the newest entry that was overwritten.
        var overwritten = Int64.min
    }

    /// What an entry costs beside its packet.
    private static let overhead = 256

    private let capacity: Int
    private let fault: StoreFault?
    private let metrics = RecoveryMetrics()
    private let state = Mutex(State())

    package let places: [String] = ["memory"]

    /// - Parameter capacity: bytes, 64 MiB unless told.
    package init(capacity: Int = 64 << 20, fault: StoreFault? = nil) {
        self.capacity = capacity
        self.fault = fault
    }

    package func place(of key: RouteKey) -> String { self.places[0] }

    package func scopePlace(of domain: String) -> String { self.places[0] }

    package func append(_ entries: [RecoveryEntry], to place: String) async throws(StoreError) {
        do throws(StoreError) {
            try await self.perform("recovery.append", at: place) { state in
                for entry in entries { self.add(entry, &state) }
            }
            self.metrics.appended(entries)
        } catch {
            self.metrics.appendFailed()
            throw error
        }
    }

    package func read(_ query: RecoveryQuery, at place: String) async throws(StoreError) -> RecoveryHistory {
        do throws(StoreError) {
            let history = try await self.perform("recovery.read", at: place) { state in
                let entries = [query.key, query.scopeKey, nil].flatMap { state.entries[$0] ?? [] }
                return RecoveryHistory(entries, for: query, reachesBack: state.overwritten < query.horizon)
            }
            self.metrics.read(history)
            return history
        } catch {
            self.metrics.readFailed()
            throw error
        }
    }

    private func add(_ entry: RecoveryEntry, _ state: inout State) {
        if state.entries[entry.key]?.contains(entry) == true { return }
        state.entries[entry.key, default: []].append(entry)
        state.order.append(entry.key)
        state.bytes += entry.byteCount + Self.overhead
        while state.bytes > self.capacity, let key = state.order.popFirst() {
            guard let oldest = state.entries[key]?.popFirst() else { continue }
            if state.entries[key]?.isEmpty == true { state.entries[key] = nil }
            state.bytes -= oldest.byteCount + Self.overhead
            state.overwritten = max(state.overwritten, oldest.time)
        }
    }

    private func perform<R: Sendable>(
        _ operation: String, at place: String, _ body: @Sendable (inout State) -> R
    ) async throws(StoreError) -> R {
        guard self.places.contains(place) else {
            throw StoreError(.rejected, operation: operation, message: "there is no recovery log named \(place)")
        }
        guard let fault else { return self.state.withLock { body(&$0) } }
        return try await fault.wrap(operation) { () throws(StoreError) in self.state.withLock { body(&$0) } }
    }
}
