import HTTPTypes
import NIOCore
import Wire

/// One polling request and the answer that it is owed, exactly once. Lives on the loop of its session; answers on the loop
/// of its channel.
final class PollExchange {
    private let answer: @Sendable (EngineAnswer) -> Void
    private var isAnswered = false

    /// - Parameter answer: writes the answer; called once, from the session's loop.
    init(answer: @escaping @Sendable (EngineAnswer) -> Void) {
        self.answer = answer
    }

    /// The body of a GET (SOCKETIO §2.7).
    /// - Parameter cookie: the `Set-Cookie` of a handshake.
    func answerPoll(_ body: ByteBuffer, cookie: String? = nil) {
        var answer = EngineAnswer(
            status: 200, contentType: "text/plain; charset=UTF-8", body: body, isCompressible: true)
        if let cookie { answer.extra[.setCookie] = cookie }
        self.respond(answer)
    }

    /// The answer to a POST that was taken.
    func answerPost() {
        self.respond(EngineAnswer(status: 200, contentType: "text/html", body: ByteBuffer(string: "ok")))
    }

    func refuse(_ code: EngineErrorCode) {
        var body = ByteBuffer()
        code.writeBody(into: &body)
        self.respond(EngineAnswer(status: code.status, contentType: "application/json", body: body))
    }

    func answerEmpty(status: Int, closing: Bool) {
        self.respond(EngineAnswer(status: status, contentType: nil, body: ByteBuffer(), closes: closing))
    }

    private func respond(_ answer: EngineAnswer) {
        guard !self.isAnswered else { return }
        self.isAnswered = true
        self.answer(answer)
    }
}

@available(*, unavailable) extension PollExchange: Sendable {}
