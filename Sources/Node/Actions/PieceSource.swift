internal import NIOCore
internal import Synchronization

/// Pulls pieces out of an asynchronous sequence for whoever asks, one task at a time, until somebody ends it: then the
/// iterator is cancelled, if it is at work, and dropped.
///
/// Invariant for `@unchecked`: `iterator` is touched by the task that set `isBusy`, or under the lock while nobody has.
final class PieceSource<Iterator: AsyncIteratorProtocol & SendableMetatype>: @unchecked Sendable
where Iterator.Element == ByteBuffer {
    private enum Pulled: Sendable {
        case piece(ByteBuffer?)
        case ended
    }

    private var iterator: Iterator?
    private let isBusy = Mutex(false)
    private let end = OneTimeSignal()

    init(_ iterator: sending Iterator) {
        self.iterator = iterator
    }

    /// - Returns: nil at the end.
    /// - Throws: what the sequence throws; `CancellationError` once ``cancel()`` was called.
    func next() async throws -> ByteBuffer? {
        self.isBusy.withLock { isBusy in
            precondition(!isBusy, "pieces are asked for one after the other")
            isBusy = true
        }
        defer { self.rest() }
        guard !self.end.hasFired else { throw CancellationError() }
        return try await withThrowingTaskGroup(of: Pulled.self) { group in
            group.addTask { .piece(try await self.pull()) }
            group.addTask {
                await self.end.wait()
                return .ended
            }
            defer { group.cancelAll() }
            guard case .piece(let piece)? = try await group.next() else { throw CancellationError() }
            return piece
        }
    }

    /// Nobody asks for more. From any thread, any number of times.
    func cancel() {
        guard self.end.fire() else { return }
        self.isBusy.withLock { isBusy in
            if !isBusy { self.iterator = nil }
        }
    }

    @concurrent
    private func pull() async throws -> ByteBuffer? {
        guard var iterator = self.iterator else { return nil }
        self.iterator = nil
        guard let piece = try await iterator.next(isolation: nil) else {
            // To a task that is cancelled many a sequence seems to be at its end.
            try Task.checkCancellation()
            return nil
        }
        self.iterator = iterator
        return piece
    }

    private func rest() {
        self.isBusy.withLock { isBusy in
            isBusy = false
            if self.end.hasFired { self.iterator = nil }
        }
    }
}
