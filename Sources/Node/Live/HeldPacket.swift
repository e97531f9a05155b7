import Routing
import Wire

/// What waits for a connection to become ready.
struct HeldPacket {
    let packet: OutboundPacket
    let stamp: RecoveryStamp?
    /// For a room or the namespace, not for the user: void for a client that turns out to be a new one.
    var isBroadcast = false
}
