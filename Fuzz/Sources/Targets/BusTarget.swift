import NIOCore
import Wire

/// What comes from other nodes is input like any other (CVE-2025-61765): batches, and the payloads in them.
///
///     input = kind (1 byte), bytes
enum BusTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = CommandBytes(bytes)
        let kind = input.byte()
        let buffer = ByteBuffer(bytes: input.rest())
        switch kind & 7 {
        case 0: try self.batch(buffer)
        case 1: try self.event(buffer)
        case 2: try self.room(buffer)
        case 4: try self.link(buffer, PeerSignal.decode) { try $0.encode() }
        case 5: try self.link(buffer, PeerRoster.decode) { try $0.encode() }
        case 6: try self.link(buffer, LinkNotice.decode) { try $0.encode() }
        default: try self.reply(buffer)
        }
    }

    private static func batch(_ buffer: ByteBuffer) throws(Finding) {
        guard let decoded = try? MessageBatch.decode(buffer) else { return }
        for message in decoded.messages {
            _ = message.kind.isPerishable
            switch message.kind {
            case .event: try self.event(message.payload)
            case .room: try self.room(message.payload)
            case .peer: try self.link(message.payload, PeerSignal.decode) { try $0.encode() }
            case .roster: try self.link(message.payload, PeerRoster.decode) { try $0.encode() }
            case .link: try self.link(message.payload, LinkNotice.decode) { try $0.encode() }
            case .kick, .invalidate, .ack, .config, .probe: try self.reply(message.payload)
            }
        }
        let again: ByteBuffer
        do { again = try MessageBatch.encode(decoded.messages) } catch {
            throw Finding(description: "what was decoded can be encoded: \(error)")
        }
        try Finding.check(decoded.unknownKinds > 0 || again == buffer, "a batch has one form")
    }

    private static func event(_ buffer: ByteBuffer) throws(Finding) {
        guard let payload = try? EventPayload.decode(buffer) else { return }
        let again: ByteBuffer
        do { again = try payload.encode() } catch {
            throw Finding(description: "what was decoded can be encoded: \(error)")
        }
        try Finding.check(again == buffer, "a payload has one form")
        try self.write(payload.packet, payload.attachments)
    }

    private static func link<Payload>(
        _ buffer: ByteBuffer, _ decode: (ByteBuffer) throws -> Payload, _ encode: (Payload) throws -> ByteBuffer
    ) throws(Finding) {
        guard let payload = try? decode(buffer) else { return }
        let again: ByteBuffer
        do { again = try encode(payload) } catch {
            throw Finding(description: "what was decoded can be encoded: \(error)")
        }
        try Finding.check(again == buffer, "a payload has one form")
    }

    private static func room(_ buffer: ByteBuffer) throws(Finding) {
        guard let message = try? RoomMessage.decode(buffer) else { return }
        let again = (try? message.encode()).flatMap { try? RoomMessage.decode($0) }
        try Finding.check(again == message, "a room's message survives being encoded")
        switch message.operation {
        case .emit(let packet, let attachments, _): try self.write(packet, attachments)
        case .logged(let packet, let attachments, _): try self.write(packet, attachments)
        case .emitWithAck(let packet, let attachments, _): try self.write(packet, attachments)
        case .join, .leave, .disconnect, .fetch, .serverSide: break
        }
    }

    private static func reply(_ buffer: ByteBuffer) throws(Finding) {
        guard let reply = try? RoomReply.decode(buffer) else { return }
        let again = (try? reply.encode()).flatMap { try? RoomReply.decode($0) }
        try Finding.check(again == reply, "a reply survives being encoded")
        for case let item? in reply.items { try self.write(item.text, item.attachments) }
    }

    /// What a node does with packets that another one has finished.
    private static func write(_ text: ByteBuffer, _ attachments: [ByteBuffer]) throws(Finding) {
        var frames = ByteBuffer()
        let packet = OutboundPacket(text: text, attachments: attachments)
        packet.writeFrames(into: &frames)
        packet.writeFrames(base64: true, into: &frames)
        var queue = PollingQueue()
        if queue.append(packet, limit: 1 << 20) { queue.takePayload(into: &frames) }
        try Finding.check(queue.isEmpty, "a queue that was taken is empty")
    }
}
