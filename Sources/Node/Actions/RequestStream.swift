public import NIOCore

/// A body as it comes in (SPEC AC-5). It is read from the connection no faster than it is asked for, so memory stays flat
/// whatever its size. To be iterated once, by one task at a time, before the action has answered.
///
/// Iterating throws ``ActionError``: 413 beyond ``ActionOptions/maxBodyLength``, 408 where nothing comes for 10 s
/// (``LimitOptions/actionBodyTimeout``), 400 where the requester has gone. A handler lets them pass.
public struct RequestStream: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    /// As sent, with its parameters; nil where the requester says nothing.
    public let contentType: String?
    /// Bytes in all, where the requester says so.
    public let length: Int?
    let pull: @Sendable () async throws(ActionError) -> ByteBuffer?

    public struct AsyncIterator: AsyncIteratorProtocol {
        let pull: @Sendable () async throws(ActionError) -> ByteBuffer?

        public func next() async throws(ActionError) -> ByteBuffer? { try await self.pull() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pull: self.pull) }

    /// Everything that is still to come.
    ///
    /// - Parameter limit: bytes; beyond it 413.
    public func collect(upTo limit: Int) async throws(ActionError) -> ByteBuffer {
        var buffer = ByteBuffer()
        while let piece = try await self.pull() {
            guard buffer.readableBytes + piece.readableBytes <= limit else { throw .tooLarge }
            buffer.writeImmutableBuffer(piece)
        }
        return buffer
    }
}
