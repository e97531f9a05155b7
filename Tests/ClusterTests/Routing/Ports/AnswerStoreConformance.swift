import Routing
import Testing

/// What idempotency keys rely on (docs/control-api.md). Hashes are new in every run, so a database may be shared.
enum AnswerStoreConformance {
    static let checks: [ConformanceCheck<any AnswerStore>] = [
        ConformanceCheck("Of all who begin a request at once one does, and the others see it") { store async throws in
            let id = Self.bytes(32)
            let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let mine = Self.record(id)
                        guard let found = try await store.begin(mine) else { return true }
                        #expect(found.id == id && found.attempt != mine.attempt && found.answer == nil)
                        return false
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(winners == 1)
        },
        ConformanceCheck("An answer is found as it was kept, and not begun anew") { store async throws in
            let record = Self.record(Self.bytes(32))
            #expect(try await store.begin(record) == nil)
            let expires = record.expires + 10_000
            #expect(try await store.finish(record.id, attempt: record.attempt, answer: [1, 2, 0], expires: expires))
            var expected = record
            expected.answer = [1, 2, 0]
            expected.expires = expires
            #expect(try await store.begin(Self.record(record.id)) == expected)
        },
        ConformanceCheck("Who has given up, or is over its time, is followed by another, and answers no more") {
            store async throws in
            let first = Self.record(Self.bytes(32))
            #expect(try await store.begin(first) == nil)
            try await store.abandon(first.id, attempt: first.attempt)
            var second = Self.record(first.id)
            second.deadline = SystemClusterClock().wallTime() - 1
            #expect(try await store.begin(second) == nil)
            let third = Self.record(first.id)
            #expect(try await store.begin(third) == nil)
            let expires = third.expires
            #expect(try await store.finish(first.id, attempt: second.attempt, answer: [2], expires: expires) == false)
            try await store.abandon(first.id, attempt: first.attempt)
            #expect(try await store.finish(first.id, attempt: third.attempt, answer: [3], expires: expires))
            #expect(try await store.begin(Self.record(first.id))?.answer == [3])
        },
        ConformanceCheck("An answer whose time is over is none") { store async throws in
            let first = Self.record(Self.bytes(32))
            #expect(try await store.begin(first) == nil)
            let over = SystemClusterClock().wallTime() - 1_000
            #expect(try await store.finish(first.id, attempt: first.attempt, answer: [1], expires: over))
            let second = Self.record(first.id)
            #expect(try await store.begin(second) == nil)
            #expect(try await store.begin(Self.record(first.id)) == second)
        },
    ]

    static func record(_ id: [UInt8]) -> AnswerRecord {
        let now = SystemClusterClock().wallTime()
        return AnswerRecord(
            id: id, request: Self.bytes(32), attempt: Self.bytes(16), deadline: now + 60_000, expires: now + 60_000)
    }

    private static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
