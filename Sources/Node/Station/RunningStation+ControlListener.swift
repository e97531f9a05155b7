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
        /// What control keys do on this node.
        let audit = Mutex<AuditLog?>(nil)

        var station: RunningStation? { self.held.withLock(\.station) }

        func set(_ station: RunningStation) {
            self.held.withLock { $0.station = station }
            if let log = self.audit.withLock(\.self) { station.answerInquiries(log) }
        }
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
        let options = configuration.controlAPI
        let sessions = DashboardSessions(limits: options.sessionLimits)
        let access = ControlAccess(keyring, sessions: sessions)
        let log = AuditLog(capacity: options.auditEntries, logger: audit)
        let actions = ControlActions(
            access, station: { station.station }, audit: log, streams: ControlStreams(limit: options.streams))
        let endpoints = actions.all
        let router = try self.router(endpoints.map(\.action))
        var page: (@Sendable () -> String)?
        if let metrics { page = { metrics.text() } }
        let listener = configuration.controlListener
        let responder: ControlResponder
        do {
            responder = try ControlResponder(
                host: listener.host, keyring: keyring, access: access,
                dashboard: Dashboard(
                    keyring: keyring, access: access, sessions: sessions, audit: log,
                    domains: configuration.servedDomains),
                proxies: try configuration.proxyTrust(), hostNames: options.hostNames,
                rates: ControlRates(perSecond: options.requestRate, burst: options.requestBurst), metrics: page,
                unreadiness: unreadiness,
                api: ActionPipeline(router: router, submit: submit, logger: logger),
                document: .controlAPI(endpoints, router))
        } catch let error as StartError {
            throw error
        } catch {
            throw StartError(
                "cannot open the control listener", why: "\(error)",
                remedy: "Keep it on 127.0.0.1, or give it keys with --control-keys.")
        }
        station.audit.withLock { $0 = log }
        return ControlListener(listener: listener, responder: responder, logger: logger)
    }
}
