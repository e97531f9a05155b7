internal import AsyncHTTPClient
internal import NIOCore
internal import Synchronization

/// A requester's body on its way to a target: read no faster than that takes it (SPEC RM-3).
final class WebhookUpload: Sendable {
    private let stream: RequestStream
    private let refusal = Mutex<ActionError?>(nil)
    /// All of it was read, or could not be.
    let isOver = OneTimeSignal()

    init(_ stream: RequestStream) {
        self.stream = stream
    }

    /// As the requester says.
    var contentType: String { self.stream.contentType ?? "application/octet-stream" }

    /// What was wrong on the requester's side.
    var failure: ActionError? { self.refusal.withLock(\.self) }

    var body: HTTPClientRequest.Body {
        let length: HTTPClientRequest.Body.Length =
            if let count = self.stream.length { .known(Int64(count)) } else { .unknown }
        return .stream(PulledPieces { try await self.next() }, length: length)
    }

    private func next() async throws(ActionError) -> ByteBuffer? {
        do {
            let piece = try await self.stream.pull()
            if piece == nil { self.isOver.fire() }
            return piece
        } catch {
            self.refusal.withLock { $0 = error }
            self.isOver.fire()
            throw error
        }
    }
}
