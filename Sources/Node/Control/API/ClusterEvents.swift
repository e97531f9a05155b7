import NIOCore
import Synchronization

/// The events of one `GET /v1/stream`: figures, and in their place why there are none. It ends when its key does.
final class ClusterEvents: Sendable {
    private let interval: Duration
    /// Held as long as somebody reads.
    private let lease: ControlStreams.Lease
    private let ask: @Sendable () async throws -> ClusterFigures
    private let isFirst = Mutex(true)

    /// - Parameters:
    ///   - interval: seconds.
    ///   - ask: throws an ``ActionError``; one of 401 or 403 ends the stream.
    init(
        every interval: Double, lease: ControlStreams.Lease,
        _ ask: @escaping @Sendable () async throws -> ClusterFigures
    ) {
        self.lease = lease
        self.interval = .seconds(interval)
        self.ask = ask
    }

    /// - Returns: nil at the end.
    func next() async throws -> ByteBuffer? {
        let isFirst = self.isFirst.withLock { isFirst in
            defer { isFirst = false }
            return isFirst
        }
        if !isFirst { try await Task.sleep(for: self.interval) }
        do {
            return EventStreamText.event("cluster", try JSONValue(encoding: try await self.ask()))
        } catch let error as ActionError {
            guard error.status != 401, error.status != 403 else { return nil }
            return EventStreamText.event("unavailable", error.content)
        }
    }
}
