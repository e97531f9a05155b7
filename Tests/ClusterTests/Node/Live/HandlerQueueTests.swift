import Synchronization
import Testing

@testable import Node

/// SPEC WS-2: the order of a connection's handlers, and what a slow one may do.
@Suite struct HandlerQueueTests {
    /// Lets a test decide when a handler goes on.
    private final class Gate: Sendable {
        private let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1_000))

        func open(_ count: Int = 1) { for _ in 0..<count { self.continuation.yield() } }

        func pass() async {
            for await _ in self.stream { return }
        }
    }

    private final class Log: Sendable {
        private let lines = Mutex<[String]>([])

        func note(_ line: String) { self.lines.withLock { $0.append(line) } }
        var all: [String] { self.lines.withLock { $0 } }
    }

    @Test("WS-2: handlers of one connection run one after the other, those of others meanwhile")
    func order() async {
        let pool = WorkPool(name: "test", limit: 100)
        let log = Log()
        let slow = Gate()
        let done = Gate()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            let first = HandlerQueue(work: pool) { _ in }
            let second = HandlerQueue(work: pool) { _ in }
            let isTaken = [
                first.add {
                    await slow.pass()
                    log.note("a1")
                },
                first.add {
                    log.note("a2")
                    done.open()
                },
                second.add {
                    log.note("b1")
                    done.open()
                },
            ]
            #expect(isTaken == [true, true, true])
            await done.pass()
            #expect(log.all == ["b1"])
            slow.open()
            await done.pass()
            #expect(log.all == ["b1", "a1", "a2"])
            group.cancelAll()
        }
    }

    @Test("WS-2: too many waiting events stop the socket's reading, and room starts it again")
    func backPressure() async {
        let pool = WorkPool(name: "test", limit: 100)
        let log = Log()
        let slow = Gate()
        let done = Gate()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            let queue = HandlerQueue(work: pool) { isReading in log.note(isReading ? "resume" : "pause") }
            let count = HandlerQueue.highWatermark + 10
            for index in 0..<count {
                let isTaken = queue.add {
                    await slow.pass()
                    if index == count - 1 { done.open() }
                }
                #expect(isTaken)
            }
            #expect(log.all == ["pause"])
            slow.open(count)
            await done.pass()
            #expect(log.all == ["pause", "resume"])
            group.cancelAll()
        }
    }

    @Test("A full pool refuses, by name and at once")
    func full() async {
        let pool = WorkPool(name: "test", limit: 1)
        let slow = Gate()
        let done = Gate()
        await withTaskGroup(of: Void.self) { group in
            let isTaken = pool.submit {
                await slow.pass()
                done.open()
            }
            #expect(isTaken)
            #expect(pool.submit {} == false)
            group.addTask { await pool.run() }
            slow.open()
            await done.pass()
            group.cancelAll()
        }
    }
}
