import Routing
import Synchronization
import Testing

@testable import Node

@Suite("ID-13: a node that was stopped")
struct StallWatchTests {
    private final class Clock: Sendable {
        private let value = Mutex<Int64>(0)
        var now: Int64 { self.value.withLock { $0 } }
        func advance(_ milliseconds: Int64) { self.value.withLock { $0 += Nanoseconds.milliseconds(milliseconds) } }
    }

    /// Probes that came back so many seconds ago, each on its way for 10 ms.
    private static func health(_ ages: Double...) -> BusHealth {
        BusHealth(probeAge: ages, latency: ages.map { _ in 0.01 }, modes: ages.map { _ in "stream" }, gaps: 0)
    }

    @Test("ID-13: between ticks nothing is doubted; from the first moment after a stop everything is")
    func woken() {
        let clock = Clock()
        let watch = StallWatch(now: { clock.now })
        for _ in 0..<10 {
            clock.advance(200)
            #expect(watch.isCaughtUp(Self.health(0.9, 0.9)))
            watch.tick()
        }
        clock.advance(999)
        #expect(watch.isCaughtUp(Self.health(1.9, 1.9)))
        clock.advance(1)
        #expect(!watch.isCaughtUp(Self.health(0, 0)), "before its own timer knows")
        watch.tick()
        #expect(!watch.isCaughtUp(Self.health(0, 0)), "a probe that was sent before")
    }

    @Test("ID-13: it has caught up when a probe that was sent after waking has come through each home")
    func caughtUp() {
        let clock = Clock()
        let watch = StallWatch(now: { clock.now })
        clock.advance(3_000)
        watch.tick()
        clock.advance(100)
        #expect(!watch.isCaughtUp(Self.health(0.05, 3.1)), "one home only: the logout may be in the other")
        #expect(!watch.isCaughtUp(Self.health(0.095, 0.05)), "this one was sent 5 ms before")
        #expect(watch.isCaughtUp(Self.health(0.05, 0.08)))
        #expect(watch.isCaughtUp(Self.health(0.05, 3.1)), "once heard is enough")
    }

    @Test("ID-13: a home that does not answer is waited for 10 s: senders use the other one by then")
    func patience() {
        let clock = Clock()
        let watch = StallWatch(now: { clock.now })
        clock.advance(3_000)
        watch.tick()
        for _ in 0..<49 {
            clock.advance(200)
            watch.tick()
            #expect(!watch.isCaughtUp(Self.health(0.05, 60)))
        }
        clock.advance(200)
        watch.tick()
        #expect(watch.isCaughtUp(Self.health(0.05, 60)))
    }
}
