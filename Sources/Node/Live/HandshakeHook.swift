import Logging
import Metrics
import NIOCore

/// One question to the application's `allowRequest` hook: its answer or the deadline, whichever comes first. Lives on the
/// loop of the connection that asks.
final class HandshakeHook {
    enum Finding {
        case allowed
        case refused(TransportRefusal, String)

        static func refused(_ refusal: TransportRefusal) -> Finding { .refused(refusal, refusal.message) }
    }

    private var then: ((Finding) -> Void)?
    private var timer: Scheduled<Void>?

    private init(_ then: @escaping (Finding) -> Void) {
        self.then = then
    }

    /// - Parameter then: called once, on the loop; at once where there is no hook.
    static func ask(
        _ request: @autoclosure () -> HandshakeRequest, on loop: LiveLoop, then: @escaping (Finding) -> Void
    ) {
        let server = loop.server
        guard let hook = server.allowRequest else { return then(.allowed) }
        let call = HandshakeHook(then)
        let bound = NIOLoopBound(call, eventLoop: loop.eventLoop)
        let metrics = server.metrics
        call.timer = loop.eventLoop.scheduleTask(in: server.allowRequestTimeout) {
            metrics.lateHandshakeHooks.increment()
            bound.value.finish(.refused(.unavailable))
        }
        let request = request()
        let logger = server.logger
        let isQueued = server.work.submit {
            let finding: Finding
            do {
                switch try await hook(request) {
                case .allow: finding = .allowed
                case .refuse(let text): finding = .refused(.refusedByHook, text)
                }
            } catch {
                // Who cannot be judged is not let in.
                metrics.hooksFailed.increment()
                logger.error("allowRequest hook failed", metadata: ["error": "\(error)"])
                finding = .refused(.refusedByHook)
            }
            bound.execute { $0.finish(finding) }
        }
        if !isQueued { call.finish(.refused(.busy)) }
    }

    private func finish(_ finding: Finding) {
        guard let then = self.then else { return }
        self.then = nil
        self.timer?.cancel()
        self.timer = nil
        then(finding)
    }
}

extension HandshakeHook.Finding: Sendable {}

@available(*, unavailable) extension HandshakeHook: Sendable {}
