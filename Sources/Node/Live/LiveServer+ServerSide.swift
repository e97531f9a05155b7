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
}
