/// What becomes of an event for a socket that does not keep up (SPEC EV-4, SOCKETIO §12).
package enum Delivery: Hashable, Sendable {
    /// It arrives, or the socket is closed as a slow consumer, to recover.
    case required
    /// It is dropped where the transport cannot take it right now. Never kept for recovery.
    case volatile
    /// Where the transport cannot take it right now, it waits, and gives way to a newer event of the same key: what
    /// arrives is the latest. Never kept for recovery.
    case latest(key: String)
}
