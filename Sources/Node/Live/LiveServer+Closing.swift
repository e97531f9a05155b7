import NIOCore
import Routing
import Synchronization

extension LiveServer {
    /// Ends all sessions, paced so that no loop stalls, and no other node is asked for more than it can take (SPEC ND-12,
    /// ND-15).
    /// - Parameters:
    ///   - longest: seconds after which it is over, however little the others can take; nil where nobody is asked.
    ///   - intake: connects a second that the others can take, now; nil where there are no others.
    func endAll(
        _ reason: LogoutReason, over spread: Double, longest: Double? = nil,
        intake: @Sendable () -> Double? = { nil }
    ) async {
        let loops = self.loops.withLock(\.self)
        let limits = MassClose.Limits(spread: spread, longest: longest, perSecond: self.options.closesPerSecond)
        var close = MassClose(of: self.metrics.openSessions, within: limits, at: .now())
        var turn = 0
        while !Task.isCancelled {
            let asked = close.step(left: self.metrics.openSessions, intake: intake(), at: .now())
            self.metrics.closing(perSecond: close.pace)
            var told = 0
            if asked > 0 {
                turn += 1
                told = await self.endSome(asked, reason, on: loops, turn: turn)
            }
            if close.isOver(told: told, left: self.metrics.openSessions, at: .now()) { break }
            do { try await Task.sleep(for: .nanoseconds(MassClose.step.nanoseconds)) } catch { break }
        }
        self.metrics.closing(perSecond: 0)
        // Who has not fetched its last packets by now does not get them.
        for loop in loops { loop.execute { $0.abandonAll() } }
    }

    /// Evenly on all loops; what one of them has not got is asked of the others.
    /// - Returns: how many were told: fewer than `count` only if no more are open.
    private func endSome(
        _ count: Int, _ reason: LogoutReason, on loops: [NIOLoopBound<LiveLoop>], turn: Int
    ) async -> Int {
        guard !loops.isEmpty else { return 0 }
        let first = await withCheckedContinuation { continuation in
            let sum = LoopSum(parts: loops.count) { continuation.resume(returning: $0) }
            for (place, loop) in loops.enumerated() {
                // One more for some, another one's turn each time.
                let isLucky = (place + turn) % loops.count < count % loops.count
                let share = count / loops.count + (isLucky ? 1 : 0)
                loop.execute { sum.add($0.endSome(share, reason)) }
            }
        }
        var told = first
        for loop in loops where told < count {
            let rest = count - told
            told += await withCheckedContinuation { continuation in
                loop.execute { continuation.resume(returning: $0.endSome(rest, reason)) }
            }
        }
        return told
    }
}
