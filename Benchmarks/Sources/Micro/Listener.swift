import NIOCore
import Routing
import Wire

/// A connection that takes what it is given.
final class Listener: LocalConnection {
    let socket: SocketID
    var prepared: SocketID { self.socket }
    var place = ConnectionPlace.nowhere
    private(set) var transmissions = 0

    init(socket: SocketID) { self.socket = socket }

    func transmit(_ frames: NIOAny, packets: Int, bytes: Int) { self.transmissions += 1 }
    func enqueue(_ packet: OutboundPacket, _ stamp: RecoveryStamp?) { self.transmissions += 1 }
    func offer(_ packet: OutboundPacket, _ mode: Delivery) { self.transmissions += 1 }
    var hasWrittenAll: Bool { true }
    func end(_ reason: LogoutReason) {}
}

@available(*, unavailable) extension Listener: Sendable {}
