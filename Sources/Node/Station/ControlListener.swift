import Hummingbird
import Logging
import Metrics
import NIOCore
import Synchronization

/// The listener for operators and backends (SPEC RM-1, OP-2), apart from the one for clients.
final class ControlListener: Sendable {
    private let listener: Configuration.Listener
    private let connections: HTTPConnections

    init(listener: Configuration.Listener, responder: ControlResponder, logger: Logger) {
        self.listener = listener
        let stalled = Counter(
            label: "submergence_limits_hit_total", dimensions: [("limit", Limit.stallTime.rawValue)])
        self.connections = HTTPConnections(
            responder: { request, writer, channel in try await responder.handle(request, writer, channel) },
            limits: LimitOptions().head, logger: logger
        ) {
            // An event stream whose reader takes nothing is cut.
            [AnswerStreamHandler(stallTimeout: .seconds(30)) { stalled.increment() }]
        }
    }

    /// - Throws: ``StartError`` when the port cannot be had.
    func listen(on group: any EventLoopGroup) async throws -> any Channel {
        try await self.connections.listen(self.listener, flag: "--control-port", group: group)
    }

    func run() async { await self.connections.run() }
}
