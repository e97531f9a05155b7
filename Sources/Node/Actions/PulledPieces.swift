internal import NIOCore

/// A closure that gives the next piece each time, as an asynchronous sequence.
struct PulledPieces: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let next: @Sendable () async throws -> ByteBuffer?

    struct AsyncIterator: AsyncIteratorProtocol {
        let pull: @Sendable () async throws -> ByteBuffer?

        func next() async throws -> ByteBuffer? { try await self.pull() }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pull: self.next) }
}
