import NIOCore
import Wire

/// The position that all members of a device on one loop share, as they are given the same events. Loop-bound.
final class RecoveryTrail {
    private let tracking: RecoveryTracking
    private(set) var position = RecoveryPosition()
    private var nextPruning: Int64 = 0
    private var cached: ByteBuffer?

    init(tracking: RecoveryTracking) { self.tracking = tracking }

    /// - Returns: false for an event that was given before.
    func raise(to mark: RecoveryMark) -> Bool {
        let now = self.tracking.now()
        guard self.position.raise(to: mark, now: now) else { return false }
        if now >= self.nextPruning {
            self.nextPruning = now + 30
            self.position.prune(now: now, window: self.tracking.window)
        }
        self.cached = nil
        return true
    }

    var offset: ByteBuffer {
        if let cached { return cached }
        let text = self.position.text
        self.cached = text
        return text
    }
}
