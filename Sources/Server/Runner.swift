import ArgumentParser
import Logging
import Metrics
import Node
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What the commands that run a node share: logging and metrics, which the library leaves to the program, and exit codes.
enum Runner {
    static func run(_ configuration: Configuration, logLevel: String) async throws {
        let level = LogLevel(logLevel)?.level ?? .info
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let registry = PrometheusMetricsFactory()
        MetricsSystem.bootstrap(registry)
        do {
            let station = try Station(configuration: configuration, logger: Logger(label: "submergence"))
            station.onStart { lines in for line in lines { self.say(line, to: STDOUT_FILENO) } }
            station.expose(registry)
            try await station.run()
        } catch let error as StartError {
            self.complain(error)
            throw ExitCode.cannotStart
        } catch is SupersededError {
            self.complain("a newer process of this node's name took over")
            throw ExitCode.superseded
        }
    }

    static func complain(_ what: some CustomStringConvertible) {
        self.say("submergence: \(what)", to: STDERR_FILENO)
    }

    /// A line of progress.
    static func note(_ line: String) { self.say(line, to: STDERR_FILENO) }

    /// Unbuffered: scripts wait for these lines.
    private static func say(_ line: String, to descriptor: CInt) {
        let bytes = Array("\(line)\n".utf8)
        // Nobody is left to tell when even this fails.
        _ = write(descriptor, bytes, bytes.count)
    }
}
