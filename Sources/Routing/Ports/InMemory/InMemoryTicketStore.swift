internal import Synchronization

/// Tickets in this process: for one node without MongoDB, and for tests.
package final class InMemoryTicketStore: TicketStore {
    private struct State {
        var tickets: [[UInt8]: TicketRecord] = [:]
        /// When expired ones are looked for next: at twice the number that the last look left.
        var sweepSize = 1_024
    }

    /// How long an expired ticket stays, so that it can be told from an unknown one; MongoDB takes about as long.
    private static let afterlife: Int64 = 60_000

    /// Tickets, 100,000 unless told; beyond: `busy`.
    private let capacity: Int
    private let time: @Sendable () -> Int64
    private let fault: StoreFault?
    private let state = Mutex(State())

    /// - Parameter time: milliseconds since 1970, for expiry.
    package init(
        capacity: Int = 100_000, fault: StoreFault? = nil,
        time: @escaping @Sendable () -> Int64 = { SystemClusterClock().wallTime() }
    ) {
        self.capacity = capacity
        self.time = time
        self.fault = fault
    }

    package func insert(_ ticket: TicketRecord) async throws(StoreError) {
        let isTaken = try await self.perform("tickets.insert") { state, now -> Bool in
            if state.tickets.count >= min(state.sweepSize, self.capacity) {
                state.tickets = state.tickets.filter { $0.value.expires + Self.afterlife > now }
                state.sweepSize = max(1_024, state.tickets.count * 2)
            }
            guard state.tickets.count < self.capacity else { return false }
            state.tickets[ticket.id] = ticket
            return true
        }
        if !isTaken { throw StoreError(.busy, operation: "tickets.insert", message: "the store is full") }
    }

    package func find(_ id: [UInt8]) async throws(StoreError) -> TicketRecord? {
        try await self.perform("tickets.find") { state, now in
            state.tickets[id].flatMap { $0.expires + Self.afterlife > now ? $0 : nil }
        }
    }

    package func use(_ id: [UInt8]) async throws(StoreError) -> Bool {
        try await self.perform("tickets.use") { state, _ in
            guard state.tickets[id]?.isUsed == false else { return false }
            state.tickets[id]?.isUsed = true
            return true
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
}
