import Testing

@testable import Node

@Suite struct ActionQueueTests {
    private static func queue(running: Int = 2, waiting: Int = 3, bytes: Int = 100) -> ActionQueue<Int> {
        ActionQueue(.init(running: running, waiting: waiting, waitingBytes: bytes))
    }

    @Test("SPEC §5: some run at once, the next ones wait in their order, and too many are refused")
    func order() {
        var queue = Self.queue()
        #expect((1...6).map { queue.add($0, cost: 1) } == [.run, .run, .wait, .wait, .wait, .refuse])
        #expect(queue.finish() == 3)
        #expect(queue.add(7, cost: 1) == .wait)
        #expect(queue.finish() == 4)
        #expect(queue.finish() == 5)
        #expect(queue.finish() == 7)
        #expect(queue.finish() == nil)
        #expect(!queue.isIdle)
        #expect(queue.finish() == nil)
        #expect(queue.isIdle)
        #expect(queue.add(8, cost: 1) == .run)
    }

    @Test("What waits is bounded by its bytes as well; what runs at once is not")
    func bytes() {
        var queue = Self.queue(running: 1)
        #expect(queue.add(1, cost: 1_000) == .run)
        #expect(queue.add(2, cost: 60) == .wait)
        #expect(queue.add(3, cost: 41) == .refuse)
        #expect(queue.add(4, cost: 40) == .wait)
        #expect(queue.finish() == 2)
        #expect(queue.add(5, cost: 60) == .wait)
        #expect(queue.finish() == 4)
        #expect(queue.finish() == 5)
        #expect(queue.finish() == nil)
    }

    @Test("Nothing waits once nobody is left")
    func clear() {
        var queue = Self.queue(running: 1, bytes: 10)
        #expect([1, 2].map { queue.add($0, cost: 10) } == [.run, .wait])
        queue.clear()
        #expect(queue.finish() == nil)
        #expect(queue.isIdle)
    }
}
