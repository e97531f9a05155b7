package import NIOCore
internal import Synchronization

/// The bytes of an answer that is streamed (SPEC AC-7, AC-10), pulled by the transport as fast as its peer takes them.
///
/// Whoever has one pulls it to its end (or its error), or cancels it: what it reads from is held until then.
package struct AnswerStream: Sendable {
    /// Bytes in all; nil where the handler does not know. ``next`` throws where the source has more or fewer.
    package let length: Int?
    /// A media type.
    package let type: String?
    /// The next piece, of any size; nil at the end. Throws once, when the source failed: the answer is cut off then, and
    /// says so. Awaited by one task at a time.
    package let next: @Sendable () async throws -> ByteBuffer?
    /// Nobody reads on: from any thread, also where the end was never reached. A ``next`` that is under way throws then.
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

    init<Bytes: AsyncSequence & Sendable>(length: Int?, type: String?, bytes: Bytes)
    where Bytes.Element == ByteBuffer, Bytes.AsyncIterator: SendableMetatype {
        let source = PieceSource(bytes.makeAsyncIterator())
        self.init(length: length, type: type, next: { try await source.next() }, cancel: { source.cancel() })
    }

    /// How a stream went out.
    enum End: Sendable {
        case complete
        /// The peer went away, or never wanted the bytes (HEAD).
        case cancelled
        case failed(any Error)
    }

    /// A source whose bytes are not as many as were announced.
    struct LengthError: Error, Equatable, CustomStringConvertible {
        let announced: Int
        /// More than it where it went on.
        let seen: Int

        var description: String { "\(self.announced) bytes were announced, and there are \(self.seen) or more" }
    }

    /// Holds the source to its length, and tells once how it ended, and how many bytes were pulled.
    func watched(_ ended: @escaping @Sendable (End, _ bytes: Int) -> Void) -> AnswerStream {
        let count = Mutex(0)
        let isOver = OneTimeSignal()
        let finish: @Sendable (End) -> Void = { end in
            if isOver.fire() { ended(end, count.withLock(\.self)) }
        }
        let (length, inner, cancel) = (self.length, self.next, self.cancel)
        let fail: @Sendable (any Error) -> any Error = { error in
            finish(error is CancellationError ? .cancelled : .failed(error))
            return error
        }
        return AnswerStream(
            length: length, type: self.type,
            next: {
                let piece: ByteBuffer?
                do { piece = try await inner() } catch { throw fail(error) }
                let seen = count.withLock { count in
                    count += piece?.readableBytes ?? 0
                    return count
                }
                if let length, seen > length || (piece == nil && seen < length) {
                    cancel()
                    throw fail(LengthError(announced: length, seen: seen))
                }
                if piece == nil { finish(.complete) }
                return piece
            },
            cancel: {
                finish(.cancelled)
                cancel()
            })
    }
}
