import NIOCore
import Wire

/// What a client says about a stream that it is sent: a `chunk` event (SPEC §8, AC-10).
struct ChunkPacket: Sendable, Equatable {
    enum Request: Sendable, Equatable {
        /// Everything up to the chunk of this number has arrived.
        case acknowledge(Int)
        case cancel
    }

    struct Malformed: Error {
        let id: MessageID?
    }

    let id: MessageID
    let request: Request

    /// - Parameter arguments: what stands behind the event's name: JSON values with commas between them, valid.
    init(_ arguments: UnsafeRawBufferPointer) throws(Malformed) {
        guard let range = JSONObjectReader.value(of: "_id", in: arguments),
            let id = MessageID(json: UnsafeRawBufferPointer(rebasing: arguments[range]))
        else { throw Malformed(id: nil) }
        // Strict, and nothing behind it.
        guard let value = try? JSONValue(text: ByteBuffer(bytes: arguments)) else { throw Malformed(id: id) }
        self.id = id
        switch (value["ack"], value["cancel"]) {
        case (.int(let number)?, nil): self.request = .acknowledge(Int(number))
        case (nil, .bool(true)?): self.request = .cancel
        default: throw Malformed(id: id)
        }
    }
}
