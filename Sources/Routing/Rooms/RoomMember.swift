package import NIOCore
package import Wire

/// A socket as the rooms of its namespace see it. Implemented by `Node`'s sockets; loop-bound.
package protocol RoomMember: AnyObject {
    /// The random part of the socket's public id.
    var randomPart: UInt128 { get }
    /// The public id: the name of the room that only this socket is in.
    var sid: String { get }
    /// Rooms that it has joined; only ``RoomTable`` writes it.
    var rooms: [Room] { get set }
    /// Where the table lists it; only ``RoomTable`` writes it.
    var seat: Int32 { get set }

    /// Takes a packet that others may get as well.
    /// - Parameter mark: its place in the recovery log; nil for one that is not logged.
    func emit(_ packet: SharedPacket, _ delivery: Delivery, _ mark: RecoveryMark?)

    /// Takes a packet that asks for an acknowledgement.
    /// - Parameters:
    ///   - packet: carries `id` already.
    ///   - answer: called once, on this loop.
    func emit(
        _ packet: SharedPacket, ackID id: Int64, until deadline: NIODeadline, answer: @escaping (AckAnswer) -> Void)

    /// Sends DISCONNECT; with `closes` the engine session ends as well (SOCKETIO §11.12).
    func disconnect(closes: Bool)

    /// Its rooms are others now. Keeps them where the socket is recoverable.
    /// - Parameter done: called once, when they are kept.
    func roomsChanged(_ done: @escaping @Sendable () -> Void)

    /// What `fetchSockets` tells of it, as a JSON object (SOCKETIO §13).
    func describe() -> ByteBuffer
}

/// How a socket answered an event that asked for an acknowledgement.
package enum AckAnswer: Sendable {
    /// The arguments: the inside of a JSON array, and the attachments that it refers to.
    case arguments(RoomReply.Item)
    case timedOut
    /// The socket is gone, or owes as many answers as it may: none will come.
    case none(AckFailure)
}

/// Why no acknowledgement will come.
package enum AckFailure: Error, Sendable, Equatable {
    case disconnected
    /// As many answers are outstanding as one socket may owe (SOCKETIO §18).
    case tooManyOutstanding
}

/// A packet on its way to many sockets of one loop: framed once, by the first that needs frames. Touch only from the loop
/// that made it.
package final class SharedPacket {
    package let packet: OutboundPacket
    /// The packet as WebSocket frames, boxed once.
    package private(set) lazy var frames: NIOAny = {
        var frames = ByteBuffer()
        self.packet.writeFrames(into: &frames)
        return NIOAny(frames)
    }()

    package init(_ packet: OutboundPacket) {
        self.packet = packet
    }
}

@available(*, unavailable) extension SharedPacket: Sendable {}
