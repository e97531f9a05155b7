package import NIOCore
package import Wire

/// A connection as the tables of its event loop see it. Implemented by `Node`'s live connection; loop-bound.
package protocol LocalConnection: AnyObject {
    /// The SID that its client knows.
    var socket: SocketID { get }
    /// The SID that was made for it: another one than ``socket`` once it is recovered. Route changes name a connection by
    /// this one (``RouteChange/disconnect(_:node:isFinal:)``).
    var prepared: SocketID { get }
    /// Where the table keeps it; only ``ConnectionTable`` writes it.
    var place: ConnectionPlace { get set }

    /// Writes finished WebSocket frames, shared with other members, and flushes. Called for members that ``ConnectionTable``
    /// holds as streaming.
    /// - Parameters:
    ///   - packets: how many are in the frames.
    ///   - bytes: of these packets, without their framing.
    func transmit(_ frames: NIOAny, packets: Int, bytes: Int)

    /// Takes one packet: polling connections queue it for the next poll, pending ones until `ready` (SPEC LC-5).
    /// - Parameters:
    ///   - packet: as it was sent.
    ///   - stamp: nil while recovery is off. A connection that has no ``RecoveryGate`` writes ``RecoveryStamp/stamped``
    ///     instead of `packet`; one that has it writes what the gate lets pass, and once
    ///     ``ConnectionTable/hasCaughtUp(_:with:)`` drops the gate and may be seated as streaming. One whose recovery is
    ///     not decided keeps packet and stamp until it is.
    func enqueue(_ packet: OutboundPacket, _ stamp: RecoveryStamp?)

    /// Takes a packet that may be dropped, or give way to a newer one, where the client does not keep up. Not logged, and
    /// without an offset yet: the connection appends its own when it writes.
    func offer(_ packet: OutboundPacket, _ mode: Delivery)

    /// Whether the transport has taken everything that the connection was given, so far as it is ready and open. Asked
    /// behind the tick in which that was.
    var hasWrittenAll: Bool { get }

    /// Ends the connection; the `logout` event goes first where the reason asks for it (SPEC WS-0).
    func end(_ reason: LogoutReason)
}

/// Where a table keeps a connection, so that leaving costs no search.
package struct ConnectionPlace {
    /// Invariant: a device lives as long as it has members, and an unseated connection has none.
    unowned(unsafe) var device: Device?
    var seat: Int32
    var isStreaming: Bool

    package static var nowhere: ConnectionPlace { ConnectionPlace(device: nil, seat: -1, isStreaming: false) }

    package var isSeated: Bool { self.device != nil }
}
