import Logging
import NIOCore
import Routing
import Synchronization

extension RunningStation {
    /// Stands for a station that the control API asks and that is made after it.
    final class Reference: Sendable {
        private struct Weak: Sendable {
            weak var station: RunningStation?
        }

        private let held = Mutex(Weak())

        var station: RunningStation? { self.held.withLock(\.station) }

        func set(_ station: RunningStation) { self.held.withLock { $0.station = station } }
    }

    /// The control listener and what it serves.
    /// - Throws: ``StartError``.
    static func controlListener(
        _ configuration: Configuration, keyring: ControlKeyring, metrics: PrometheusMetricsFactory?,
        submit: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Bool, station: Reference,
        logger: Logger, unreadiness: @escaping @Sendable () -> [String]
    ) throws -> ControlListener {
        var audit = Logger(label: "submergence.audit")
        audit.logLevel = logger.logLevel
        let actions = ControlActions(ControlAccess(keyring), station: { station.station }, audit: audit)
        let endpoints = actions.all
        let router = try self.router(endpoints.map(\.action))
        var page: (@Sendable () -> String)?
        if let metrics { page = { metrics.text() } }
        let listener = configuration.controlListener
        let responder: ControlResponder
        do {
            responder = try ControlResponder(
                host: listener.host, keyring: keyring, metrics: page, unreadiness: unreadiness,
                api: ActionPipeline(router: router, submit: submit, logger: logger),
                document: .controlAPI(endpoints, router))
        } catch {
            throw StartError(
                "cannot open the control listener", why: "\(error)",
                remedy: "Keep it on 127.0.0.1, or give it keys with --control-keys.")
        }
        return ControlListener(listener: listener, responder: responder, logger: logger)
    }
}
