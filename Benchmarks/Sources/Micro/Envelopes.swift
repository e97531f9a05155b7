import NIOCore
import Wire

/// Batches of messages between nodes.
enum Envelopes {
    private static let count = 64

    static func figures() -> [Figure] {
        let packet = ByteBuffer(string: #"2["msg",[17,4711,1234567890123,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]]"#)
        let payload = EventPayload(client: nil, packet: packet)
        var figures = [
            Figure("encode an event's payload") {
                guard let bytes = try? payload.encode() else { fatalError() }
                precondition(bytes.readableBytes > 64)
            }
        ]
        guard let encoded = try? payload.encode() else { fatalError() }
        let messages = (0..<self.count).map { BusMessage(kind: .event, key: "example.com/user-\($0)", payload: encoded) }
        figures.append(
            Figure("encode a batch, a message", batch: self.count) {
                guard let batch = try? MessageBatch.encode(messages) else { fatalError() }
                precondition(batch.readableBytes > 64 * self.count)
            })
        guard let batch = try? MessageBatch.encode(messages) else { fatalError() }
        figures.append(
            Figure("decode a batch, a message", batch: self.count) {
                guard let decoded = try? MessageBatch.decode(batch) else { fatalError() }
                precondition(decoded.messages.count == self.count)
            })
        figures.append(
            Figure("decode an event's payload") {
                guard let event = try? EventPayload.decode(encoded) else { fatalError() }
                precondition(event.attachments.isEmpty)
            })
        return figures
    }
}
