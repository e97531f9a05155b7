import NIOCore
import Testing

@testable import Node

/// SPEC ND-12, ND-15: pace and end of a mass close.
@Suite struct MassCloseTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test(
        "ND-12: a client that has vanished between two polls is waited for 5 s from when it was told, not from the spread's end"
    )
    func vanished() {
        var close = MassClose(of: 1, on: 2, over: 5, perSecond: 5_000, at: self.start)
        var isOver = close.isOver(told: 1, left: 1, at: self.start)
        #expect(!isOver)
        isOver = close.isOver(told: 0, left: 1, at: self.start + MassClose.grace - .nanoseconds(1))
        #expect(!isOver)
        isOver = close.isOver(told: 0, left: 1, at: self.start + MassClose.grace)
        #expect(isOver)
    }

    @Test("Over at once where nobody is left, and as long as some are told their grace has not begun")
    func ends() {
        var close = MassClose(of: 1_000, on: 1, over: 5, perSecond: 5_000, at: self.start)
        #expect(close.perLoop == 4)
        for second in 0..<8 {
            let isOver = close.isOver(told: 4, left: 10, at: self.start + .seconds(Int64(second)))
            #expect(!isOver)
        }
        let isOver = close.isOver(told: 4, left: 0, at: self.start + .seconds(8))
        #expect(isOver)
    }

    @Test("ND-15: never faster than the limit, and no slower than 50 a second")
    func pace() {
        #expect(MassClose(of: 100_000, on: 4, over: 0, perSecond: 5_000, at: self.start).perLoop == 25)
        #expect(MassClose(of: 10, on: 1, over: 5, perSecond: 5_000, at: self.start).perLoop == 1)
        var close = MassClose(of: 100_000, on: 4, over: 0, perSecond: 5_000, at: self.start)
        // 20 s of telling at that pace, then the end whatever is found.
        var isOver = close.isOver(told: 100, left: 1, at: self.start + .seconds(25) - .nanoseconds(1))
        #expect(!isOver)
        isOver = close.isOver(told: 100, left: 1, at: self.start + .seconds(25))
        #expect(isOver)
    }
}
