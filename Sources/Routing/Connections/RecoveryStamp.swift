package import Wire

/// What comes with a packet while recovery is on.
package struct RecoveryStamp: Sendable {
    /// nil for an event that is not in the log: volatile, or not recoverable by anybody.
    package var mark: RecoveryMark?
    /// The packet with the device's offset: for every connection that has no ``RecoveryGate``.
    package var stamped: OutboundPacket

    package init(mark: RecoveryMark?, stamped: OutboundPacket) {
        self.mark = mark
        self.stamped = stamped
    }
}
