import NIOCore
import Wire

/// An `ice` event: a client asks for servers whose credentials are fresh (SPEC §8).
struct ICERequest: Sendable {
    /// It cannot be answered; whom the answer is for, as far as that can be told.
    struct Malformed: Error {
        let id: MessageID?
    }

    /// nil where the client counts on the acknowledgement.
    let id: MessageID?

    /// - Parameter arguments: what stands behind the event's name: JSON values with commas between them, valid.
    init(_ arguments: UnsafeRawBufferPointer) throws(Malformed) {
        let range = JSONObjectReader.value(of: "_id", in: arguments)
        let id = range.flatMap { MessageID(json: UnsafeRawBufferPointer(rebasing: arguments[$0])) }
        // Strict (SPEC WS-3), and nothing behind it.
        guard let value = try? JSONValue(text: ByteBuffer(bytes: arguments)), case .object = value,
            (range == nil) == (id == nil)
        else { throw Malformed(id: id) }
        self.id = id
    }
}
