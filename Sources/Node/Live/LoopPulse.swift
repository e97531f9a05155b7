import NIOCore
import Synchronization

/// How late the tick of an event loop comes: what a packet waits for, too. Written by the loop, read by anybody.
final class LoopPulse: Sendable {
    private let tick: Int64
    private let last: Atomic<UInt64>
    private let worst = Atomic<Int64>(0)

    init(tick: TimeAmount, now: NIODeadline) {
        self.tick = tick.nanoseconds
        self.last = Atomic(now.uptimeNanoseconds)
    }

    /// Call from the loop, once a tick.
    func tick(at now: NIODeadline) {
        let late = self.late(at: now)
        if late > self.worst.load(ordering: .relaxed) { self.worst.store(late, ordering: .relaxed) }
        self.last.store(now.uptimeNanoseconds, ordering: .relaxed)
    }

    /// Nanoseconds by which the latest tick since the last call was late, the one that is still awaited included. For one
    /// reader.
    func takeLag(at now: NIODeadline) -> Int64 {
        max(self.worst.exchange(0, ordering: .relaxed), self.late(at: now))
    }

    private func late(at now: NIODeadline) -> Int64 {
        let last = self.last.load(ordering: .relaxed)
        return max(Int64(clamping: now.uptimeNanoseconds) - Int64(clamping: last) - self.tick, 0)
    }
}
