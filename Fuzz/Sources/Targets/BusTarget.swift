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
        if kind & 1 == 0 { try self.batch(buffer) } else { try self.event(buffer) }
    }

    private static func batch(_ buffer: ByteBuffer) throws(Finding) {
        guard let decoded = try? MessageBatch.decode(buffer) else { return }
        for message in decoded.messages {
            _ = message.kind.isPerishable
            if message.kind == .event { try self.event(message.payload) }
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
        var frames = ByteBuffer()
        let packet = OutboundPacket(text: payload.packet, attachments: payload.attachments)
        packet.writeFrames(into: &frames)
        packet.writeFrames(base64: true, into: &frames)
        var queue = PollingQueue()
        if queue.append(packet, limit: 1 << 20) { queue.takePayload(into: &frames) }
        try Finding.check(queue.isEmpty, "a queue that was taken is empty")
    }
}
