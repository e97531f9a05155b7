import Logging
import Metrics
import NIOCore
import Routing

extension LiveServer {
    /// Runs the handler of an event that another node has sent (SOCKETIO §13).
    /// - Parameter answer: called once.
    func runServerSide(
        _ scope: RoomScope, _ name: String, _ arguments: ByteBuffer, answer: @escaping @Sendable (ByteBuffer?) -> Void
    ) {
        let answer = ServerSideAnswer(answer)
        if scope == ClusterInquiry.scope { return self.answerInquiry(name, arguments, answer) }
        guard let handler = self.namespaces[scope.namespace]?.application.serverSide[name] else {
            self.metrics.unhandledServerSide.increment()
            return answer.give(nil)
        }
        let event = ServerSideEvent(
            name: name, domain: scope.domain, namespace: scope.namespace, json: arguments, answer: answer)
        let isQueued = self.work.submit {
            do {
                try await handler(event)
            } catch {
                self.metrics.handlersFailed.increment()
                self.logger.error("server-side handler failed", metadata: ["event": "\(name)", "error": "\(error)"])
            }
            answer.give(nil)
        }
        if !isQueued { answer.give(nil) }
    }

    /// Another node asks this one about itself. Of a newer one: it may ask what this version cannot say.
    private func answerInquiry(_ name: String, _ arguments: ByteBuffer, _ answer: ServerSideAnswer) {
        guard let handler = self.inquiries.handler(of: name) else { return answer.give(nil) }
        let isQueued = self.work.submit { answer.give(await handler(arguments)) }
        if !isQueued { answer.give(nil) }
    }
}
