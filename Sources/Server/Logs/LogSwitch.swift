import Logging
import Synchronization

/// What of logging is a choice.
struct LogOptions: Sendable {
    var level: Logger.Level
    var format: LogFormat
}

/// The level of all loggers of the process, which may change while it runs.
final class LogSwitch: Sendable {
    private let format: LogFormat
    private let current: Mutex<Logger.Level>

    init(_ options: LogOptions) {
        self.format = options.format
        self.current = Mutex(options.level)
    }

    var level: Logger.Level {
        get { self.current.withLock(\.self) }
        set { self.current.withLock { $0 = newValue } }
    }

    func handler(_ label: String) -> any LogHandler {
        switch self.format {
        case .human: SwitchedLogHandler(base: StreamLogHandler.standardError(label: label), logs: self)
        case .json: SwitchedLogHandler(base: JSONLogHandler(label: label), logs: self)
        }
    }
}

/// A handler whose level is the process's, unless a logger was given one of its own.
struct SwitchedLogHandler<Base: LogHandler>: LogHandler {
    private var base: Base
    private let logs: LogSwitch
    private var own: Logger.Level?

    init(base: Base, logs: LogSwitch) {
        self.base = base
        self.logs = logs
    }

    var logLevel: Logger.Level {
        get { self.own ?? self.logs.level }
        set { self.own = newValue }
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

    func log(event: LogEvent) { self.base.log(event: event) }
}
