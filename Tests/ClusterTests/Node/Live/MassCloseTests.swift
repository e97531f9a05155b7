import NIOCore
import Testing

@testable import Node

/// SPEC ND-12, ND-15: pace and end of a mass close.
@Suite struct MassCloseTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// What a close does with sessions that go at once when they are told.
    private struct Run {
        var told: [Int] = []
        /// Steps until it was over.
        var steps = 0

        func told(inSecond second: Int) -> Int { self.told.dropFirst(second * 50).prefix(50).reduce(0, +) }
    }

    /// - Parameter intake: by second.
    private func run(
        of sessions: Int, within limits: MassClose.Limits, intake: (Int) -> Double?
    ) -> Run {
        var close = MassClose(of: sessions, within: limits, at: self.start)
        var run = Run()
        var left = sessions
        while run.steps < 100_000 {
            let now = self.start + .milliseconds(20 * Int64(run.steps))
            let asked = close.step(left: left, intake: intake(run.steps / 50), at: now)
            let told = min(asked, left)
            left -= told
            run.told.append(told)
            run.steps += 1
            if close.isOver(told: told, left: left, at: now) { break }
        }
        return run
    }

    @Test(
        "ND-12: a client that has vanished between two polls is waited for 5 s from when it was told, not from the spread's end"
    )
    func vanished() {
        var close = MassClose(of: 1, within: .init(spread: 5, longest: 60, perSecond: 5_000), at: self.start)
        var asked = close.step(left: 1, intake: nil, at: self.start)
        #expect(asked == 1)
        var isOver = close.isOver(told: 1, left: 1, at: self.start)
        #expect(!isOver)
        let next = self.start + MassClose.step
        asked = close.step(left: 1, intake: nil, at: next)
        #expect(asked == 1)
        isOver = close.isOver(told: 0, left: 1, at: next)
        #expect(!isOver)
        _ = close.step(left: 1, intake: nil, at: next + MassClose.grace - .nanoseconds(1))
        isOver = close.isOver(told: 0, left: 1, at: next + MassClose.grace - .nanoseconds(1))
        #expect(!isOver)
        isOver = close.isOver(told: 0, left: 1, at: next + MassClose.grace)
        #expect(isOver)
    }

    @Test(
        "ND-15: never faster than the limit, and no slower than 50 a second", arguments: [(100_000, 5_000), (10, 50)])
    func pace(sessions: Int, expected: Int) {
        let run = self.run(of: sessions, within: .init(spread: 0.2, longest: nil, perSecond: 5_000)) { _ in nil }
        #expect(run.told.reduce(0, +) == sessions)
        #expect(run.told.max() == expected / 50)
        #expect(run.steps == sessions * 50 / expected)
    }

    @Test("ND-12: with nobody else it is spread over its 5 s")
    func spread() {
        let run = self.run(of: 1_000, within: .init(spread: 5, longest: 60, perSecond: 5_000)) { _ in nil }
        #expect((0..<5).map { run.told(inSecond: $0) } == [200, 200, 200, 200, 200])
        #expect(run.steps == 250)
    }

    @Test("ND-12: others with room for all are given more from second to second, up to its own pace")
    func beginning() {
        let run = self.run(of: 1_000, within: .init(spread: 5, longest: 60, perSecond: 5_000)) { _ in 10_000 }
        let counts = (0..<8).map { run.told(inSecond: $0) }
        #expect((20...30).contains(counts[0]))
        #expect((1..<5).allSatisfy { Double(counts[$0]) < 1.6 * Double(counts[$0 - 1]) })
        #expect((1..<5).allSatisfy { Double(counts[$0]) > 1.4 * Double(counts[$0 - 1]) })
        #expect(counts[6] == 200)
        #expect(run.told.reduce(0, +) == 1_000)
    }

    @Test("ND-12: no faster than the others can take it, and the pace follows them while it runs")
    func following() {
        let run = self.run(of: 1_000, within: .init(spread: 5, longest: 60, perSecond: 5_000)) { second in
            second < 3 ? 30 : 120
        }
        #expect((20...30).contains(run.told(inSecond: 0)))
        #expect((1..<3).allSatisfy { abs(run.told(inSecond: $0) - 30) <= 1 })
        // What is new is not believed at once.
        #expect((30...110).contains(run.told(inSecond: 3)))
        #expect((6..<10).allSatisfy { abs(run.told(inSecond: $0) - 120) <= 1 })
        #expect(run.told.reduce(0, +) == 1_000)
        // Without a burst in any step.
        #expect(run.told.max() == 3)
    }

    @Test("ND-12: others that take nothing hold it up for maxDrain, less the time of the last polls, and no longer")
    func longest() {
        let run = self.run(of: 1_000, within: .init(spread: 5, longest: 60, perSecond: 5_000)) { _ in 0 }
        #expect(run.told.reduce(0, +) == 1_000)
        #expect((54 * 50...55 * 50 + 5).contains(run.steps))
        // Evenly: nobody waits for a crowd at the end.
        #expect((0..<53).allSatisfy { (15...25).contains(run.told(inSecond: $0)) })
    }

    @Test("ND-12: when others come to a stop in the middle, the rest is told in time")
    func stopping() {
        let run = self.run(of: 3_000, within: .init(spread: 5, longest: 20, perSecond: 5_000)) { $0 < 2 ? 500 : 0 }
        #expect(run.told.reduce(0, +) == 3_000)
        #expect(run.steps <= 15 * 50 + 5)
    }

    @Test("Over when the longest time has passed, whatever is found")
    func deadline() {
        var close = MassClose(of: 100, within: .init(spread: 5, longest: 10, perSecond: 5_000), at: self.start)
        var asked = close.step(left: 100, intake: 0, at: self.start + .seconds(9))
        var isOver = close.isOver(told: asked, left: 1, at: self.start + .seconds(10) - .nanoseconds(1))
        #expect(!isOver)
        asked = close.step(left: 1, intake: 0, at: self.start + .seconds(10))
        isOver = close.isOver(told: asked, left: 1, at: self.start + .seconds(10))
        #expect(isOver)
    }

    @Test("A step that comes late makes up for a tenth of a second, and a stall is not made up for")
    func stall() {
        var close = MassClose(of: 10_000, within: .init(spread: 5, longest: 60, perSecond: 5_000), at: self.start)
        var asked = close.step(left: 10_000, intake: nil, at: self.start)
        #expect(asked == 40)
        _ = close.isOver(told: 40, left: 9_960, at: self.start)
        asked = close.step(left: 9_960, intake: nil, at: self.start + .seconds(3))
        #expect(asked == 200)
    }
}
