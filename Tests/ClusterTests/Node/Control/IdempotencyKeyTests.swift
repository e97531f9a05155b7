import Logging
import NIOCore
import Routing
import Synchronization
import Testing

@testable import Node

@Suite("RM-1: idempotency keys")
struct IdempotencyKeyTests {
    private final class Clock: Sendable {
        let time = Atomic<Int64>(1_000_000)
        var now: Int64 { self.time.load(ordering: .relaxed) }
    }

    private let clock = Clock()
    private let store: InMemoryAnswerStore
    private let keys: IdempotencyKeys
    private let runs = Runs()

    private final class Runs: Sendable {
        private let count = Atomic<Int64>(0)
        func next() -> JSONValue { ["run": .int(self.count.add(1, ordering: .relaxed).newValue)] }
    }

    init() {
        let clock = self.clock
        self.store = InMemoryAnswerStore(capacity: 10, time: { clock.now })
        self.keys = IdempotencyKeys(
            store: self.store, window: 3_600, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { clock.now })
    }

    private func ask(
        _ key: String, who: String = "a", path: String = "/v1/event", body: JSONValue = ["n": 1]
    )
        async throws -> JSONValue
    {
        try await self.keys.answer(key, who: who, path: path, body: body) { self.runs.next() }
    }

    @Test("The same request has the same answer, and is carried out once")
    func replayed() async throws {
        let first = try await self.ask("k")
        #expect(first == ["run": 1])
        #expect(try await self.ask("k") == first)
        #expect(try await self.ask("k", who: "b") == ["run": 2])
        #expect(try await self.ask("other") == ["run": 3])
        self.clock.time.add(3_600_001, ordering: .relaxed)
        #expect(try await self.ask("k") == ["run": 4])
    }

    @Test("Another body, or another path, is a mistake")
    func mismatch() async throws {
        _ = try await self.ask("k")
        await #expect(throws: ActionError.self) { try await self.ask("k", body: ["n": 2]) }
        let error = await #expect(throws: ActionError.self) { try await self.ask("k", path: "/v1/events") }
        #expect(error?.status == 422 && error?.code == "IDEMPOTENCY_KEY")
    }

    @Test("While it is carried out it has no answer; one that failed may come again")
    func underWay() async throws {
        _ = try await self.keys.answer("k", who: "a", path: "p", body: [:]) {
            let error = await #expect(throws: ActionError.self) {
                try await self.keys.answer("k", who: "a", path: "p", body: [:]) { ["never": true] }
            }
            #expect(error?.status == 409 && error?.code == "UNDER_WAY")
            return [:]
        }
        await #expect(throws: ActionError.unavailable) {
            try await self.keys.answer("f", who: "a", path: "p", body: [:]) { throw ActionError.unavailable }
        }
        #expect(try await self.keys.answer("f", who: "a", path: "p", body: [:]) { ["ok": true] } == ["ok": true])
    }

    @Test("What is no key is refused; where no more are kept, so is the request", arguments: ["", "a b", "é", "\n"])
    func refused(key: String) async throws {
        let error = await #expect(throws: ActionError.self) { try await self.ask(key) }
        #expect(error?.status == 400)
        for number in 0..<10 { _ = try await self.ask("k\(number)") }
        await #expect(throws: StoreError.self) { try await self.ask("one-more") }
    }

    @Test("RM-1: a key may ask so fast and no faster; others are not in it")
    func rates() throws {
        let rates = ControlRates(perSecond: 2, burst: 3)
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        for _ in 0..<3 { try rates.admit("a", at: start) }
        #expect(throws: ActionError.overRate) { try rates.admit("a", at: start) }
        try rates.admit("b", at: start)
        try rates.admit("a", at: start + .milliseconds(500))
        #expect(throws: ActionError.overRate) { try rates.admit("a", at: start + .milliseconds(500)) }
        let open = ControlRates(perSecond: 0, burst: 1)
        for _ in 0..<1_000 { try open.admit("a", at: start) }
    }
}
