internal import Synchronization

/// Answers in this process: for one node without MongoDB, and for tests.
package final class InMemoryAnswerStore: AnswerStore {
    private struct State {
        var records: [[UInt8]: AnswerRecord] = [:]
        /// Of the answers.
        var bytes = 0
        /// When expired ones are looked for next: at twice the number that the last look left.
        var sweepSize = 1_024
    }

    private let capacity: Int
    private let byteLimit: Int
    private let time: @Sendable () -> Int64
    private let state = Mutex(State())

    /// - Parameters:
    ///   - capacity: requests, 100,000 unless told; beyond: `busy`.
    ///   - byteLimit: bytes of their answers, 64 MiB unless told; beyond: `busy`.
    ///   - time: milliseconds since 1970.
    package init(
        capacity: Int = 100_000, byteLimit: Int = 64 << 20,
        time: @escaping @Sendable () -> Int64 = { SystemClusterClock().wallTime() }
    ) {
        self.capacity = capacity
        self.byteLimit = byteLimit
        self.time = time
    }

    package func begin(_ record: AnswerRecord) async throws(StoreError) -> AnswerRecord? {
        enum Outcome { case entered, there(AnswerRecord), full }
        let now = self.time()
        let outcome = self.state.withLock { state -> Outcome in
            if let found = state.records[record.id], !found.isOver(at: now) { return .there(found) }
            if state.records.count >= min(state.sweepSize, self.capacity) || state.bytes >= self.byteLimit {
                state.records = state.records.filter { !$0.value.isOver(at: now) }
                state.bytes = state.records.values.reduce(0) { $0 + ($1.answer?.count ?? 0) }
                state.sweepSize = max(1_024, state.records.count * 2)
            }
            guard state.records.count < self.capacity, state.bytes < self.byteLimit else { return .full }
            state.bytes -= state.records[record.id]?.answer?.count ?? 0
            state.records[record.id] = record
            return .entered
        }
        switch outcome {
        case .entered: return nil
        case .there(let found): return found
        case .full: throw StoreError(.busy, operation: "answers.begin", message: "the store is full")
        }
    }

    package func finish(
        _ id: [UInt8], attempt: [UInt8], answer: [UInt8], expires: Int64
    ) async throws(StoreError) -> Bool {
        self.state.withLock { state in
            guard var record = state.records[id], record.attempt == attempt else { return false }
            state.bytes += answer.count - (record.answer?.count ?? 0)
            record.answer = answer
            record.expires = expires
            state.records[id] = record
            return true
        }
    }

    package func abandon(_ id: [UInt8], attempt: [UInt8]) async throws(StoreError) {
        self.state.withLock { state in
            if state.records[id]?.attempt == attempt, state.records[id]?.answer == nil { state.records[id] = nil }
        }
    }
}
