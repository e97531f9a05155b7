internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// Reads the body of one request within limits of size and time, and knows whether the connection can be used again.
///
/// A body that is refused is read on and thrown away, up to ``linger`` bytes, so that a client which is still sending
/// gets to see the answer; what is longer is left, and the connection ends with the answer (SPEC AC-5).
final class RequestBodyReader: Sendable {
    static let linger = 262_144

    private enum State {
        case unread
        case reading
        case ended
        /// Part of it is still on the connection.
        case left
    }

    private let body: RequestBody
    private let timeout: Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state = Mutex<State>(.unread)

    init(
        _ body: RequestBody, timeout: Duration, sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.body = body
        self.timeout = timeout
        self.sleep = sleep
    }

    /// To be called once.
    func read(limit: Int) async throws(ActionBodyError) -> ByteBuffer {
        self.state.withLock { $0 = .reading }
        let result = await self.race { await self.collect(limit: limit) }
        guard let result else {
            self.state.withLock { $0 = .left }
            throw .slow
        }
        return try result.get()
    }

    /// Gets rid of what nobody read.
    /// - Returns: whether the connection is at the end of the request.
    func settle() async -> Bool {
        let state = self.state.withLock { $0 }
        switch state {
        case .ended: return true
        case .reading, .left: return false
        case .unread:
            do {
                _ = try await self.read(limit: 0)
                return true
            } catch {
                return self.state.withLock { if case .ended = $0 { true } else { false } }
            }
        }
    }

    private func collect(limit: Int) async -> Result<ByteBuffer, ActionBodyError> {
        var buffer = ByteBuffer()
        var count = 0
        do {
            for try await part in self.body {
                count += part.readableBytes
                if count <= limit {
                    buffer.writeImmutableBuffer(part)
                } else if count - limit > Self.linger {
                    self.state.withLock { $0 = .left }
                    return .failure(.tooLarge)
                }
            }
        } catch {
            self.state.withLock { $0 = .left }
            return .failure(.broken)
        }
        self.state.withLock { $0 = .ended }
        return count <= limit ? .success(buffer) : .failure(.tooLarge)
    }

    /// - Returns: nil when the time was up first.
    private func race(
        _ work: @escaping @Sendable () async -> Result<ByteBuffer, ActionBodyError>
    ) async -> Result<ByteBuffer, ActionBodyError>? {
        await withTaskGroup(of: Result<ByteBuffer, ActionBodyError>?.self) { group in
            group.addTask { await work() }
            group.addTask { [sleep, timeout] in
                do { try await sleep(timeout) } catch {
                    // Cancelled: the body was read in time.
                }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
