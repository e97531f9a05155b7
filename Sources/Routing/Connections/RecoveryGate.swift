package import Wire

/// The position of a connection that was recovered, until that of its device has caught up: it keeps live events apart
/// that were replayed already, and makes the offsets.
///
/// A connection with a gate is never seated as streaming: it takes packets one by one.
package struct RecoveryGate: Sendable {
    package private(set) var position: RecoveryPosition
    private let tracking: RecoveryTracking

    /// - Parameter position: the client's own. What is replayed passes the gate as well, so that it has its offsets, and then
    ///   what was enqueued meanwhile.
    package init(position: RecoveryPosition, tracking: RecoveryTracking) {
        self.position = position
        self.tracking = tracking
    }

    /// - Parameter packet: as it was sent, without an offset.
    /// - Returns: what to write; nil for an event that the client has.
    package mutating func pass(_ packet: OutboundPacket, _ mark: RecoveryMark?) -> OutboundPacket? {
        if let mark {
            let now = self.tracking.now()
            guard self.position.raise(to: mark, now: now) else { return nil }
            self.position.prune(now: now, window: self.tracking.window)
        }
        return packet.appendingOffset(self.position.text)
    }
}
