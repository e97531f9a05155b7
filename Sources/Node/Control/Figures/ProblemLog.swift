import Logging
import Routing
import Synchronization

/// Keeps what a node's logger says at `warning` and above, for operators to see (docs/dashboard.md). What is logged holds no
/// secrets; it may name people, so only keys for all domains are shown it.
final class ProblemLog: Sendable {
    private let ring = Mutex(ProblemRing())

    /// The same logger, of which nothing that matters is missed any more.
    func watching(_ logger: Logger) -> Logger {
        Logger(label: logger.label) { _ in ProblemLogHandler(base: logger.handler, log: self) }
    }

    func note(_ event: LogEvent, _ metadata: Logger.Metadata) {
        var details = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        if let error = event.error { details["error"] = "\(error)" }
        let time = SystemClusterClock().wallTime()
        self.ring.withLock {
            $0.add(level: event.level.rawValue, message: "\(event.message)", details: details, at: time)
        }
    }

    /// Newest first.
    func newest(_ count: Int) -> [Problem] { self.ring.withLock { $0.newest(count) } }
}
