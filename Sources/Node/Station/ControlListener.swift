import Hummingbird
import Logging
import NIOCore
import Synchronization

/// The listener for operators (SPEC OP-2): metrics and health, apart from the one for clients.
final class ControlListener: Sendable {
    private let listener: Configuration.Listener
    private let connections: HTTPConnections

    /// - Parameter unreadiness: why the node is not ready, in words; empty when it is.
    init(
        listener: Configuration.Listener, metrics: PrometheusMetricsFactory?, logger: Logger,
        unreadiness: @escaping @Sendable () -> [String]
    ) throws {
        self.listener = listener
        var page: (@Sendable () -> String)?
        if let metrics { page = { metrics.text() } }
        let responder: ControlResponder
        do {
            responder = try ControlResponder(host: listener.host, metrics: page, unreadiness: unreadiness)
        } catch {
            throw StartError("cannot open the control listener", why: "\(error)", remedy: "Keep it on 127.0.0.1.")
        }
        self.connections = HTTPConnections(
            responder: { request, writer, channel in try await responder.handle(request, writer, channel) },
            limits: LimitOptions().head, logger: logger)
    }

    /// - Throws: ``StartError`` when the port cannot be had.
    func listen(on group: any EventLoopGroup) async throws -> any Channel {
        try await self.connections.listen(self.listener, flag: "--control-port", group: group)
    }

    func run() async { await self.connections.run() }
}
