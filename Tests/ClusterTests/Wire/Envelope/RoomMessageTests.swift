import NIOCore
import Testing

@testable import Wire

/// SPEC ND-6, OP-4: what nodes ask of each other about rooms, byte by byte.
@Suite struct RoomMessageTests {
    private static let bytes = ByteBuffer(bytes: [0, 1, 255])
    private static let text = ByteBuffer(string: #"2/n,["é",1]"#)

    static let operations: [RoomMessage.Operation] = [
        .emit(packet: Self.text, attachments: [Self.bytes, ByteBuffer()], .required),
        .emit(packet: Self.text, attachments: [], .volatile),
        .emit(packet: Self.text, attachments: [], .latest(key: "k\u{e9}")),
        .logged(packet: Self.text, attachments: [Self.bytes], number: 1),
        .logged(packet: Self.text, attachments: [], number: RecoveryMark.numberLimit - 1),
        .emitWithAck(packet: Self.text, attachments: [Self.bytes], timeout: 5_000),
        .join(["a", ""]), .leave([]), .disconnect(closes: true), .disconnect(closes: false), .fetch,
        .serverSide(name: "hello", arguments: ByteBuffer(string: "1,2")),
    ]

    private static func message(_ operation: RoomMessage.Operation) -> RoomMessage {
        RoomMessage(
            request: 7, domain: "d.example", namespace: "/n", rooms: ["a", "b"], except: ["c"], operation: operation)
    }

    @Test("ND-6: what was encoded is decoded; cut short anywhere it is refused; more is refused", arguments: operations)
    func roundTrip(operation: RoomMessage.Operation) throws {
        let message = Self.message(operation)
        var bytes = try message.encode()
        #expect(try RoomMessage.decode(bytes) == message)
        for length in 0..<bytes.readableBytes {
            let cut = try #require(bytes.getSlice(at: bytes.readerIndex, length: length))
            #expect(throws: EnvelopeError.self) { try RoomMessage.decode(cut) }
        }
        bytes.writeInteger(0 as UInt8)
        #expect(throws: EnvelopeError.self) { try RoomMessage.decode(bytes) }
    }

    @Test("ND-6: an unknown version and an unknown operation are refused by name")
    func unknown() throws {
        var bytes = try Self.message(.fetch).encode()
        bytes.setInteger(99 as UInt8, at: 1)
        #expect(throws: EnvelopeError.missingField("operation")) { try RoomMessage.decode(bytes) }
        bytes.setInteger(2 as UInt8, at: 0)
        #expect(throws: EnvelopeError.unknownVersion(2)) { try RoomMessage.decode(bytes) }
        #expect(throws: EnvelopeError.unknownVersion(9)) { try RoomReply.decode(ByteBuffer(bytes: [9])) }
    }

    @Test("§14: a number that none has is refused", arguments: [0, -1, RecoveryMark.numberLimit])
    func numbers(number: Int64) throws {
        let bytes = try Self.message(.logged(packet: Self.text, attachments: [], number: number)).encode()
        #expect(throws: EnvelopeError.missingField("number")) { try RoomMessage.decode(bytes) }
    }

    @Test("ND-6: more than a message may hold is refused before it is queued")
    func tooLarge() {
        let large = ByteBuffer(repeating: 0x61, count: BusMessage.maximumSize)
        #expect(throws: EnvelopeError.messageTooLarge) {
            try Self.message(.serverSide(name: "x", arguments: large)).encode()
        }
        #expect(throws: EnvelopeError.messageTooLarge) {
            try RoomReply(request: 1, expected: nil, items: [.init(text: large)]).encode()
        }
    }

    @Test(
        "ND-6: replies keep their order and their gaps",
        arguments: [
            RoomReply(request: 1, expected: 3, items: [.init(text: text, attachments: [bytes]), nil]),
            RoomReply(request: .max, expected: nil, items: []), RoomReply(request: 2, expected: 0, items: [nil, nil]),
        ])
    func replies(reply: RoomReply) throws {
        let bytes = try reply.encode()
        #expect(try RoomReply.decode(bytes) == reply)
        for length in 0..<bytes.readableBytes {
            let cut = try #require(bytes.getSlice(at: bytes.readerIndex, length: length))
            #expect(throws: EnvelopeError.self) { try RoomReply.decode(cut) }
        }
    }

    @Test("OP-4: a count that the bytes cannot hold is refused before anything is reserved")
    func counts() {
        var reply = ByteBuffer(bytes: [1, 0, 0, 0, 0, 0, 0, 0, 1, 0])
        reply.writeInteger(UInt32.max)
        #expect(throws: EnvelopeError.truncated) { try RoomReply.decode(reply) }
    }
}
