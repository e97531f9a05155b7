import NIOCore
import Wire

/// The position that all members of a device on one loop share, as they are given the same events; or all devices of a
/// domain, for its broadcasts (``BroadcastTrails``). Loop-bound.
final class RecoveryTrail {
    private let tracking: RecoveryTracking
    /// What the members are given as well, with all others of their domain.
    private let beside: RecoveryTrail?
    private var own = RecoveryPosition()
    /// Rises whenever the position does.
    private var revision = 0
    private var nextPruning: Int64 = 0
    private var cached: (offset: ByteBuffer, revisionBeside: Int?)?

    init(tracking: RecoveryTracking, beside: RecoveryTrail? = nil) {
        self.tracking = tracking
        self.beside = beside
    }

    /// - Returns: false for an event that was given before.
    func raise(to mark: RecoveryMark) -> Bool {
        let now = self.tracking.now()
        guard self.own.raise(to: mark, now: now) else { return false }
        if now >= self.nextPruning {
            self.nextPruning = now + 30
            self.own.prune(now: now, window: self.tracking.window)
        }
        self.revision += 1
        self.cached = nil
        return true
    }

    /// Both floors are older than anything that may still be under way (``RecoveryPosition/idleMargin``), so that the later
    /// one holds for all streams.
    var position: RecoveryPosition {
        guard let beside else { return self.own }
        var position = self.own
        position.merge(beside.own)
        return position
    }

    var offset: ByteBuffer {
        if let cached, cached.revisionBeside == self.beside?.revision { return cached.offset }
        let text = self.position.text
        self.cached = (text, self.beside?.revision)
        return text
    }
}
