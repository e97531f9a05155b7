import ArgumentParser
import Logging
import Metrics
import Node
import UnixSignals

/// Reads the configuration again at SIGHUP, and applies what can change while a node runs. What cannot be taken changes nothing.
struct Reloader: Sendable {
    private let station: Station
    private let logs: LogSwitch
    private let started: EffectiveSettings
    private let read: @Sendable () -> EffectiveSettings
    private let logger = Logger(label: "submergence")
    private let applied = Self.counter("applied")
    private let partly = Self.counter("restart_needed")
    private let refused = Self.counter("refused")

    /// - Parameters:
    ///   - running: what the node was started with.
    ///   - read: gives what is set now.
    init(
        station: Station, logs: LogSwitch, running: EffectiveSettings,
        read: @escaping @Sendable () -> EffectiveSettings = { .current(of: "serve") }
    ) {
        self.station = station
        self.logs = logs
        self.started = running
        self.read = read
    }

    private static func counter(_ result: String) -> Counter {
        Counter(label: "submergence_config_reloads_total", dimensions: [("result", result)])
    }

    /// Until the body has ended.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { for await _ in signals { self.reload() } }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Reads, checks, applies.
    func reload() {
        let check = ConfigurationCheck(self.read())
        let mistakes = check.mistakes.filter { !$0.isWarning }
        guard mistakes.isEmpty else {
            for mistake in mistakes {
                self.logger.error(
                    "the configuration is not reloaded",
                    metadata: [
                        "place": "\(mistake.place.text)", "error": "\(mistake.what): \(mistake.why). \(mistake.remedy)",
                    ])
            }
            return self.refused.increment()
        }
        do {
            let serve = try Serve.parse(check.effective.arguments)
            try self.station.reload(try serve.settings())
            self.logs.level = serve.listeners.logging.level
        } catch {
            self.logger.error("the configuration is not reloaded", metadata: ["error": "\(error)"])
            return self.refused.increment()
        }
        let late = check.effective.settings.filter { setting in
            !setting.isReloaded
                && check.effective.values[setting.flag]?.arguments != self.started.values[setting.flag]?.arguments
        }
        for setting in late {
            self.logger.warning("this setting has changed and needs a restart", metadata: ["key": "\(setting.key)"])
        }
        self.logger.notice("configuration reloaded", metadata: ["restart_needed": "\(late.count)"])
        (late.isEmpty ? self.applied : self.partly).increment()
    }
}
