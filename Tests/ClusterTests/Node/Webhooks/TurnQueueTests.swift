import Testing

@testable import Node

/// How many requests a target gets at one time, and who waits (SPEC RM-3).
@Suite struct TurnQueueTests {
    @Test("Turns go in the order of arrival, through those that wait no more, and both numbers hold")
    func order() {
        var queue = TurnQueue(limit: 2, waitingLimit: 3)
        #expect(queue.enter() == .turn)
        #expect(queue.enter() == .turn)
        #expect(queue.enter() == .wait(1))
        #expect(queue.enter() == .wait(2))
        #expect(queue.enter() == .wait(3))
        #expect(queue.enter() == .full)
        #expect(queue.cancel(1) == true)
        #expect(queue.cancel(1) == false)
        #expect(queue.waiting == 2)
        #expect(queue.leave() == 2)
        #expect(queue.cancel(2) == false)
        #expect(queue.leave() == 3)
        #expect(queue.running == 2)
        #expect(queue.leave() == nil)
        #expect(queue.leave() == nil)
        #expect(queue.running == 0)
        #expect(queue.enter() == .turn)
    }

    @Test("Against a plain list", arguments: [1, 2, 3, 4, 5] as [UInt64])
    func model(seed: UInt64) {
        var random = BusTestSeed(seed)
        var queue = TurnQueue(limit: 3, waitingLimit: 20)
        var running = 0
        var waiting: [Int] = []
        for _ in 0..<5_000 {
            switch random.next() % 5 {
            case 0, 1:
                switch queue.enter() {
                case .turn: running += 1
                case .wait(let ticket): waiting.append(ticket)
                case .full: #expect(waiting.count == 20)
                }
            case 2:
                guard running > 0 else { continue }
                let next = queue.leave()
                #expect(next == waiting.first)
                if waiting.isEmpty { running -= 1 } else { waiting.removeFirst() }
            default:
                guard let ticket = waiting.randomElement(using: &random) else { continue }
                #expect(queue.cancel(ticket) == true)
                waiting.removeAll { $0 == ticket }
            }
            #expect(queue.running == running)
            #expect(queue.waiting == waiting.count)
            #expect(waiting.isEmpty || running == 3)
        }
    }

    @Test("Whoever is cancelled while waiting has no turn, and takes none from others")
    func cancelled() async {
        let gate = TurnGate(limit: 1, waitingLimit: 10)
        #expect(await gate.enter() == .turn)
        let waiter = Task { await gate.enter() }
        while gate.counts.waiting < 1 { await Task.yield() }
        let next = Task { await gate.enter() }
        while gate.counts.waiting < 2 { await Task.yield() }
        waiter.cancel()
        #expect(await waiter.value == .cancelled)
        gate.leave()
        #expect(await next.value == .turn)
        #expect(gate.counts.running == 1 && gate.counts.waiting == 0)
        gate.leave()
        #expect(gate.counts.running == 0 && gate.counts.waiting == 0)
    }

    @Test("Many tasks, some of them cancelled: never more than the limit, and nobody is forgotten")
    func many() async {
        let gate = TurnGate(limit: 4, waitingLimit: 1_000)
        let turns = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let task = Task {
                        guard await gate.enter() == .turn else { return false }
                        await Task.yield()
                        let isWithin = gate.counts.running <= 4
                        gate.leave()
                        return isWithin
                    }
                    if number % 3 == 0 { task.cancel() }
                    return await task.value
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(turns >= 133)
        #expect(gate.counts.running == 0 && gate.counts.waiting == 0)
    }
}
