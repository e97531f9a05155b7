package import NIOCore

/// The bytes of an answer that is streamed (SPEC AC-7, AC-10), pulled by the transport as fast as its peer takes them.
package struct AnswerStream: Sendable {
    /// Bytes in all; nil where the handler does not know.
    package let length: Int?
    /// A media type.
    package let type: String?
    /// The next piece, of any size; nil at the end. Throws once, when the source failed: the answer is cut off then, and
    /// says so. Awaited by one task at a time.
    package let next: @Sendable () async throws -> ByteBuffer?
    /// Nobody reads on: called at most once, from any thread, also where the end was never reached.
    package let cancel: @Sendable () -> Void

    package init(
        length: Int?, type: String?, next: @escaping @Sendable () async throws -> ByteBuffer?,
        cancel: @escaping @Sendable () -> Void
    ) {
        self.length = length
        self.type = type
        self.next = next
        self.cancel = cancel
    }
}
