import NIOCore

@testable import Routing
@testable import Wire

/// A socket that notes what it is given.
final class RoomTestMember: RoomMember {
    let randomPart: UInt128
    let sid: String
    var rooms: [Room] = []
    var seat: Int32 = -1
    private(set) var packets: [String] = []
    private(set) var modes: [Delivery] = []
    private(set) var marks: [RecoveryMark?] = []
    /// How often its rooms were to be kept.
    private(set) var keeps = 0
    private(set) var disconnects: [Bool] = []
    /// What it answers to events that ask for an acknowledgement; nil: it never answers.
    var answer: AckAnswer?

    init() {
        var generator = SystemRandomNumberGenerator()
        let (high, low) = (generator.next() as UInt64, generator.next() as UInt64)
        self.randomPart = UInt128(high) << 64 | UInt128(low)
        self.sid = Base64URL.text(high, low)
    }

    func emit(_ packet: SharedPacket, _ delivery: Delivery, _ mark: RecoveryMark?) {
        self.packets.append(String(buffer: packet.packet.text))
        self.modes.append(delivery)
        self.marks.append(mark)
    }

    func emit(
        _ packet: SharedPacket, ackID id: Int64, until deadline: NIODeadline, answer: @escaping (AckAnswer) -> Void
    ) {
        self.packets.append(String(buffer: packet.packet.text))
        if let given = self.answer { answer(given) }
    }

    func roomsChanged(_ done: @escaping @Sendable () -> Void) {
        self.keeps += 1
        done()
    }

    func disconnect(closes: Bool) { self.disconnects.append(closes) }

    func describe() -> ByteBuffer { ByteBuffer(string: self.sid) }
}

extension AckAnswer {
    static func text(_ text: String) -> AckAnswer { .arguments(RoomReply.Item(text: ByteBuffer(string: text))) }
}
