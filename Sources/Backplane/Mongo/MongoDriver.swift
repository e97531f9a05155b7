import CMongo
import Logging

/// The driver itself: set up once per process, never torn down (its threads end with the process).
enum MongoDriver {
    /// Touch before anything else of libmongoc.
    static let start: Void = {
        mongoc_log_set_handler(forwardDriverLog, nil)
        mongoc_init()
    }()

    static let logger = Logger(label: "submergence.mongodb.driver")

    /// Linked, e.g. "1.23.1".
    package static var version: String {
        String(cString: mongoc_get_version())
    }
}

/// A C callback must be a function at file scope. Called with libmongoc's log lock held: it must not call back into it.
private func forwardDriverLog(
    level: mongoc_log_level_t, domain: UnsafePointer<CChar>?, message: UnsafePointer<CChar>?,
    context: UnsafeMutableRawPointer?
) {
    let level: Logger.Level =
        switch level {
        case MONGOC_LOG_LEVEL_ERROR, MONGOC_LOG_LEVEL_CRITICAL: .error
        case MONGOC_LOG_LEVEL_WARNING: .warning
        case MONGOC_LOG_LEVEL_MESSAGE, MONGOC_LOG_LEVEL_INFO: .info
        case MONGOC_LOG_LEVEL_DEBUG: .debug
        default: .trace
        }
    MongoDriver.logger.log(
        level: level, "the MongoDB driver says",
        metadata: [
            "domain": "\(domain.map { String(cString: $0) } ?? "")",
            "error": "\(message.map { String(cString: $0) } ?? "")",
        ])
}
