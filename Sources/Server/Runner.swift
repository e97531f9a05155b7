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
    /// - Parameter reload: gets SIGHUP; without it the signal ends the process, as it does any other.
    static func run(
        _ configuration: Configuration, _ logging: LogOptions,
        reload: (@Sendable (Station, LogSwitch) -> Reloader)? = nil
    ) async throws {
        let logs = LogSwitch(logging)
        LoggingSystem.bootstrap { logs.handler($0) }
        let registry = PrometheusMetricsFactory()
        MetricsSystem.bootstrap(registry)
        do {
            let station = try Station(configuration: configuration, logger: Logger(label: "submergence"))
            station.onStart { lines in for line in lines { self.say(line, to: STDOUT_FILENO) } }
            station.expose(registry)
            guard let reload else { return try await station.run() }
            try await reload(station, logs).run { try await station.run() }
        } catch let error as StartError {
            self.complain(error)
            throw ExitCode.cannotStart
        } catch is SupersededError {
            self.complain("a newer process of this node's name took over")
            throw ExitCode.superseded
        }
    }

    /// The options of MongoDB.
    static func mongo(_ flags: MongoFlags) throws -> Configuration.Mongo? {
        do {
            return try flags.options()
        } catch {
            self.complain(error)
            throw ExitCode.cannotStart
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
