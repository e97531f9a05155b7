import NIOCore
import Routing
import Testing

@testable import Wire

@Suite("Envelope codec") struct EnvelopeCodecTests {
    private static func message(_ generator: inout EnvelopeSeed) -> BusMessage {
        BusMessage(
            kind: BusMessage.Kind.allCases.randomElement(using: &generator)!,
            key: String(repeating: "dé/u", count: Int.random(in: 0...8, using: &generator)),
            payload: generator.bytes(upTo: 300),
            source: Bool.random(using: &generator) ? "" : "sïd")
    }

    @Test("ND-6: what was encoded is decoded, byte for byte", arguments: UInt64(0)..<50)
    func roundTrip(seed: UInt64) throws {
        var generator = EnvelopeSeed(seed)
        let messages = (0..<Int.random(in: 0...20, using: &generator)).map { _ in Self.message(&generator) }
        let bytes = try MessageBatch.encode(messages)
        let sizes = try messages.reduce(MessageBatch.headerSize) { $0 + (try MessageBatch.size(of: $1)) }
        #expect(bytes.readableBytes == sizes)
        #expect(try MessageBatch.decode(bytes) == MessageBatch.Decoded(messages: messages, unknownKinds: 0))
    }

    @Test(
        "OP-4, CVE-2025-61765: cut, flipped or random bytes are refused or decoded, never a trap",
        arguments: UInt64(0)..<200)
    func hostileBytes(seed: UInt64) throws {
        var generator = EnvelopeSeed(seed)
        let messages = (0..<4).map { _ in Self.message(&generator) }
        let good = try MessageBatch.encode(messages)
        for length in 0..<good.readableBytes {
            let cut = try #require(good.getSlice(at: good.readerIndex, length: length))
            #expect(throws: EnvelopeError.self) { try MessageBatch.decode(cut) }
        }
        for _ in 0..<50 {
            var flipped = good
            let index = Int.random(in: 0..<flipped.readableBytes, using: &generator)
            flipped.setInteger(UInt8.random(in: 0...255, using: &generator), at: index)
            if let decoded = try? MessageBatch.decode(flipped) {
                #expect(decoded.messages.count + decoded.unknownKinds <= flipped.readableBytes)
            }
            _ = try? EventPayload.decode(flipped)
            let noise = generator.bytes(upTo: 64)
            _ = try? MessageBatch.decode(noise)
            _ = try? EventPayload.decode(noise)
        }
    }

    @Test("ND-6: an unknown format version is refused by name")
    func unknownVersion() throws {
        var batch = try MessageBatch.encode([])
        batch.setInteger(UInt8(9), at: 0)
        #expect(throws: EnvelopeError.unknownVersion(9)) { try MessageBatch.decode(batch) }
        var payload = try EventPayload(client: nil, packet: ByteBuffer(string: "2[]")).encode()
        payload.setInteger(UInt8(7), at: 0)
        #expect(throws: EnvelopeError.unknownVersion(7)) { try EventPayload.decode(payload) }
    }

    @Test("ND-6: a kind of a later version is skipped and counted, its neighbours arrive")
    func unknownKind() throws {
        let messages = ["a", "b", "c"].map {
            BusMessage(kind: .event, key: $0, payload: ByteBuffer(string: $0))
        }
        var batch = try MessageBatch.encode(messages)
        batch.setInteger(UInt8(200), at: MessageBatch.headerSize + MessageBatch.messageOverhead + 2)
        let decoded = try MessageBatch.decode(batch)
        #expect(decoded.unknownKinds == 1)
        #expect(decoded.messages.map(\.key) == ["a", "c"])
    }

    @Test("ND-6, CVE-2025-61765: trailing bytes and a count beyond the bytes are refused")
    func counts() throws {
        var batch = try MessageBatch.encode([])
        batch.writeInteger(UInt8(0))
        #expect(throws: EnvelopeError.trailingBytes) { try MessageBatch.decode(batch) }
        batch.setInteger(UInt32.max, at: 1)
        #expect(throws: EnvelopeError.truncated) { try MessageBatch.decode(batch) }
    }

    @Test("ND-6: a message has at most 1 MiB, an envelope 4 MiB; more is refused before it is queued")
    func limits() throws {
        let room = BusMessage.maximumSize - MessageBatch.messageOverhead - 1
        var message = BusMessage(kind: .event, key: "k", payload: ByteBuffer(repeating: 0, count: room))
        #expect(try MessageBatch.size(of: message) == BusMessage.maximumSize)
        #expect(throws: EnvelopeError.batchTooLarge) { try MessageBatch.encode(Array(repeating: message, count: 4)) }
        #expect(try MessageBatch.decode(MessageBatch.encode([message, message, message])).messages.count == 3)
        message.payload.writeInteger(UInt8(0))
        #expect(throws: EnvelopeError.messageTooLarge) { try MessageBatch.size(of: message) }
        let longKey = BusMessage(kind: .event, key: String(repeating: "k", count: 1 << 16), payload: ByteBuffer())
        #expect(throws: EnvelopeError.messageTooLarge) { try MessageBatch.size(of: longKey) }
        let longSource = BusMessage(
            kind: .event, key: "", payload: ByteBuffer(), source: String(repeating: "s", count: 1 << 16))
        #expect(throws: EnvelopeError.messageTooLarge) { try MessageBatch.size(of: longSource) }
        let event = EventPayload(client: nil, packet: ByteBuffer(repeating: 0, count: BusMessage.maximumSize))
        #expect(throws: EnvelopeError.messageTooLarge) { try event.encode() }
    }

    @Test("ND-6: a text that is not UTF-8 refuses the batch")
    func invalidText() throws {
        var batch = try MessageBatch.encode([BusMessage(kind: .kick, key: "x", payload: ByteBuffer())])
        batch.setInteger(UInt8(0xFF), at: batch.writerIndex - 1)
        #expect(throws: EnvelopeError.invalidText) { try MessageBatch.decode(batch) }
    }

    @Test("ND-7: the empty batch is a batch of no messages")
    func emptyBatch() throws {
        #expect(try MessageBatch.decode(MessageBatch.empty) == MessageBatch.Decoded(messages: [], unknownKinds: 0))
        #expect(try MessageBatch.encode([]) == MessageBatch.empty)
    }

    @Test(
        "EV-1: an event payload keeps whom it is for, its number, mode, packet and attachments",
        arguments: UInt64(0)..<50)
    func eventRoundTrip(seed: UInt64) throws {
        var generator = EnvelopeSeed(seed)
        let event = EventPayload(
            client: Bool.random(using: &generator) ? nil : "clïent",
            socket: Bool.random(using: &generator) ? nil : "node.socket",
            number: Bool.random(using: &generator) ? nil : Int64.random(in: 1..<1 << 62, using: &generator),
            mode: [.required, .volatile, .latest(key: ""), .latest(key: "kéy")][
                Int.random(in: 0...3, using: &generator)],
            packet: generator.bytes(upTo: 200),
            attachments: (0..<Int.random(in: 0...3, using: &generator)).map { _ in generator.bytes(upTo: 100) })
        let bytes = try event.encode()
        #expect(try EventPayload.decode(bytes) == event)
        for length in 0..<bytes.readableBytes {
            let cut = try #require(bytes.getSlice(at: 0, length: length))
            #expect(throws: EnvelopeError.self) { try EventPayload.decode(cut) }
        }
    }

    @Test("EV-1: an unknown flag is refused, as its bytes cannot be skipped")
    func eventFlags() throws {
        var bytes = try EventPayload(client: "c", packet: ByteBuffer()).encode()
        // 2 has never been written; volatile and latest exclude each other.
        for flags: UInt8 in [0x81, 0x41, 2, 48] {
            bytes.setInteger(flags, at: 1)
            #expect(throws: EnvelopeError.missingField("flags")) { try EventPayload.decode(bytes) }
        }
    }

    @Test("ND-6: decoded payloads are slices of the received buffer")
    func slices() throws {
        let packet = ByteBuffer(repeating: 65, count: 5_000)
        let event = try EventPayload(client: nil, packet: packet, attachments: [packet]).encode()
        let batch = try MessageBatch.encode([BusMessage(kind: .event, key: "d/u", payload: event)])
        let base = batch.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        let decoded = try EventPayload.decode(try #require(MessageBatch.decode(batch).messages.first).payload)
        for slice in [decoded.packet, decoded.attachments[0]] {
            let address = slice.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
            #expect((base..<base + UInt(batch.readableBytes)).contains(address))
        }
    }

    @Test("ND-6: `_id` is to, from and s joined")
    func identifier() {
        #expect(Envelope.identifier(to: "T", from: "F", sequence: 12) == "T.F.12")
        let envelope = Envelope(to: "T", from: "F", sequence: 1, time: 7 << 32 | 3, batch: MessageBatch.empty)
        #expect(envelope.seconds == 7)
    }
}

/// The same seed gives the same case on every machine.
private struct EnvelopeSeed: RandomNumberGenerator {
    private var generator: SplitMix64

    init(_ seed: UInt64) { self.generator = SplitMix64(seed: seed) }

    mutating func next() -> UInt64 { self.generator.next() }

    mutating func bytes(upTo limit: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        for _ in 0..<Int.random(in: 0...limit, using: &self) {
            buffer.writeInteger(UInt8(truncatingIfNeeded: self.next()))
        }
        return buffer
    }
}
