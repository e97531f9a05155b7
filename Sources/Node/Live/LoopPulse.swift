import NIOCore
import Synchronization

/// How late the tick of an event loop comes: what a packet waits for, too. Written by the loop, read by anybody.
final class LoopPulse: Sendable {
    /// Who reads it; each hears of every late tick once.
    enum Reader {
        /// What the node says it can take (SPEC ND-12).
        case intake
        /// What operators are shown.
        case figures
    }

    private let tick: Int64
    private let last: Atomic<UInt64>
    private let worst = Atomic<Int64>(0)
    private let worstShown = Atomic<Int64>(0)

    init(tick: TimeAmount, now: NIODeadline) {
        self.tick = tick.nanoseconds
        self.last = Atomic(now.uptimeNanoseconds)
    }

    /// Call from the loop, once a tick.
    func tick(at now: NIODeadline) {
        let late = self.late(at: now)
        if late > self.worst.load(ordering: .relaxed) { self.worst.store(late, ordering: .relaxed) }
        if late > self.worstShown.load(ordering: .relaxed) { self.worstShown.store(late, ordering: .relaxed) }
        self.last.store(now.uptimeNanoseconds, ordering: .relaxed)
    }

    /// Nanoseconds by which the latest tick since the reader's last call was late, the one that is still awaited included.
    func takeLag(at now: NIODeadline, for reader: Reader = .intake) -> Int64 {
        let worst =
            switch reader {
            case .intake: self.worst.exchange(0, ordering: .relaxed)
            case .figures: self.worstShown.exchange(0, ordering: .relaxed)
            }
        return max(worst, self.late(at: now))
    }

    private func late(at now: NIODeadline) -> Int64 {
        let last = self.last.load(ordering: .relaxed)
        return max(Int64(clamping: now.uptimeNanoseconds) - Int64(clamping: last) - self.tick, 0)
    }
}
