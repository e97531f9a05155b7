import NIOCore
import Routing
import Synchronization

extension LiveServer {
    /// Ends all sessions, paced so that no loop stalls (SPEC ND-12, ND-15).
    /// - Parameter seconds: over which they are spread, if that is slower than the pace.
    func endAll(_ reason: LogoutReason, over seconds: Double) async {
        let loops = self.loops.withLock(\.self)
        var close = MassClose(
            of: self.metrics.openSessions, on: loops.count, over: seconds, perSecond: self.options.closesPerSecond,
            at: .now())
        while !Task.isCancelled {
            let told = await self.endSome(close.perLoop, reason, on: loops)
            if close.isOver(told: told, left: self.metrics.openSessions, at: .now()) { break }
            do { try await Task.sleep(for: .nanoseconds(MassClose.step.nanoseconds)) } catch { break }
        }
        // Who has not fetched its last packets by now does not get them.
        for loop in loops { loop.execute { $0.abandonAll() } }
    }

    /// - Returns: how many were told.
    private func endSome(_ count: Int, _ reason: LogoutReason, on loops: [NIOLoopBound<LiveLoop>]) async -> Int {
        guard !loops.isEmpty else { return 0 }
        return await withCheckedContinuation { continuation in
            let sum = LoopSum(parts: loops.count) { continuation.resume(returning: $0) }
            for loop in loops { loop.execute { sum.add($0.endSome(count, reason)) } }
        }
    }
}
