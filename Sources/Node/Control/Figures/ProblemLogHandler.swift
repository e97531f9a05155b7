import Logging

/// Hands everything on, and notes what is a complaint.
struct ProblemLogHandler: LogHandler {
    private var base: any LogHandler
    private let log: ProblemLog

    init(base: any LogHandler, log: ProblemLog) {
        self.base = base
        self.log = log
    }

    /// Complaints are heard whatever is written down.
    var logLevel: Logger.Level {
        get { min(self.base.logLevel, .warning) }
        set { self.base.logLevel = newValue }
    }

    var metadata: Logger.Metadata {
        get { self.base.metadata }
        set { self.base.metadata = newValue }
    }

    var metadataProvider: Logger.MetadataProvider? {
        get { self.base.metadataProvider }
        set { self.base.metadataProvider = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.base[metadataKey: key] }
        set { self.base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level >= .warning { self.log.note(event, self.base.metadata) }
        if event.level >= self.base.logLevel { self.base.log(event: event) }
    }
}
