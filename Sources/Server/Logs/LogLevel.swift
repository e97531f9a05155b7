import Logging

/// A log level as the command line names it.
struct LogLevel {
    let level: Logger.Level

    init?(_ text: String) {
        guard let level = Logger.Level(rawValue: text) else { return nil }
        self.level = level
    }
}
