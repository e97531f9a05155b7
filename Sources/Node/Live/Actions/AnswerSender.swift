import NIOCore
import Wire

/// Sends the stream of one answer to its socket, as fast as the client acknowledges (SPEC AC-10). Loop-bound.
final class AnswerSender {
    let id: MessageID
    private let stream: AnswerStream
    private let desk: ActionDesk
    private var window = StreamWindow()

    init(_ id: MessageID, _ stream: AnswerStream, desk: ActionDesk) {
        self.id = id
        self.stream = stream
        self.desk = desk
    }

    /// When a client that acknowledges nothing is given up.
    func stallDeadline(_ limit: TimeAmount) -> NIODeadline? { self.window.stallDeadline(limit) }

    /// Sends what may go now, and asks for more where that may go, too.
    func pump() {
        while true {
            switch self.window.next(at: .now()) {
            case .send(let number, let bytes): self.desk.send(.chunk(self.id, number: number, bytes))
            case .pull: return self.pull()
            case .wait: return
            case .end(let number):
                self.desk.send(.lastChunk(self.id, number: number))
                return self.desk.forget(self, .complete)
            case .fail(let number):
                self.desk.send(.failedChunk(self.id, number: number, error: "FAILED"))
                return self.desk.forget(self, .failed)
            }
        }
    }

    func acknowledge(through number: Int) -> Bool {
        guard self.window.acknowledge(through: number) else { return false }
        self.pump()
        return true
    }

    /// Ends it before its end. The source hears so at once, also while it is being asked.
    /// - Parameter error: what the client is told; nil: nothing.
    func stop(_ how: StreamEnd, telling error: String? = nil) {
        guard !self.window.isOver else { return }
        let number = self.window.lastNumber
        self.window.stop()
        self.stream.cancel()
        if let error { self.desk.send(.failedChunk(self.id, number: number, error: error)) }
        self.desk.forget(self, how)
    }

    private func pull() {
        let bound = NIOLoopBound(self, eventLoop: self.desk.eventLoop)
        // The connection outlives the desk that it holds.
        let socket = self.desk.loopSocket
        let next = self.stream.next
        let isQueued = self.desk.submit {
            let piece: Result<ByteBuffer?, any Error>
            do { piece = .success(try await next()) } catch { piece = .failure(error) }
            socket.onLoop { _ in bound.value.pulled(piece) }
        }
        if !isQueued { self.stop(.failed, telling: "BUSY") }
    }

    private func pulled(_ piece: Result<ByteBuffer?, any Error>) {
        guard !self.window.isOver else { return }
        switch piece {
        case .success(let bytes?): self.window.pulled(bytes)
        case .success(nil): self.window.ended()
        // Why is in the log already.
        case .failure: self.window.failed()
        }
        self.pump()
        self.desk.reschedule()
    }
}

@available(*, unavailable) extension AnswerSender: Sendable {}
