import Metrics
import NIOCore
import Synchronization

/// Count, duration and failures of commands, by operation. Operations are a closed set: names of commands and of store
/// calls.
enum MongoMetrics {
    private struct Handles {
        var duration: Metrics.Timer
        var failures: Metrics.Counter
    }

    private static let handles = Mutex<[String: Handles]>([:])

    static func record(_ operation: String, since start: NIODeadline, failure: MongoError?) {
        let handles = self.handles.withLock { all in
            if let known = all[operation] { return known }
            let dimensions = [("operation", operation)]
            let made = Handles(
                duration: Metrics.Timer(label: "submergence_mongodb_command_seconds", dimensions: dimensions),
                failures: Metrics.Counter(label: "submergence_mongodb_failures_total", dimensions: dimensions))
            all[operation] = made
            return made
        }
        handles.duration.recordNanoseconds((NIODeadline.now() - start).nanoseconds)
        if failure != nil { handles.failures.increment() }
    }
}
