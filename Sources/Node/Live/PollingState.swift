import NIOCore
import Routing
import Wire

/// What a session needs while its client polls: the queue, the requests under way, the WebSocket that wants to take over.
final class PollingState {
    /// The Engine.IO session ID: a credential (SPEC LC-6). nil once the session is no longer found by it.
    let sid: String?
    var queue = PollingQueue()
    var held: PollExchange?
    var post: PollExchange?
    /// A body that has come whole and waits until handlers have caught up; its POST has no answer yet.
    var postBody: ByteBuffer?
    /// The POST by which the client closed, while a GET may be on its way; answered with the session's end.
    var farewell: PollExchange?
    var probe: WebSocketHandler?
    var isAnswerScheduled = false

    init(sid: String) {
        self.sid = sid
    }

    func takePayload(last: EnginePacketType? = nil) -> ByteBuffer {
        var payload = ByteBuffer()
        self.queue.takePayload(last: last, into: &payload)
        return payload
    }

    /// Answers the requests under way as the session's end demands.
    func release(_ ending: EngineEnding) {
        if let held = self.held {
            self.held = nil
            switch ending.poll {
            case .none: held.refuse(.sessionUnknown)
            case .noop: held.answerPoll(ByteBuffer(string: "6"))
            case .close: held.answerPoll(ByteBuffer(string: "1"))
            case .queueAndClose: held.answerPoll(self.takePayload(last: .close))
            }
        }
        self.farewell?.answerPost()
        self.farewell = nil
        if ending.cutsPost, let post = self.post {
            self.post = nil
            post.answerEmpty(status: 400, closing: true)
        }
    }
}
