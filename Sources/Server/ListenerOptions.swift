import ArgumentParser
import Logging
import Node

/// Flags that every command which opens ports shares.
struct ListenerOptions: ParsableArguments {
    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(name: .shortAndLong, help: "Port for clients; 0 lets the system choose.")
    var port = 8080

    @Option(help: "Address of the control listener (metrics, health).")
    var controlHost = "127.0.0.1"

    @Option(help: "Port of the control listener. Default: the port for clients + 1000.")
    var controlPort: Int?

    @Option(help: "Event loops, 1 to 64. Default: one per core.")
    var loops: Int?

    @Option(
        help: ArgumentHelp(
            "Connection state recovery: how long a lost client may be away and still get its connection back, with all "
                + "that it has missed. 0: off.", valueName: "seconds"))
    var recovery = 0

    @Option(
        help: ArgumentHelp(
            "New sockets a second that this node takes; others are refused for a moment, and other nodes that drain are told. "
                + "Default: 1000; with conformance 100000.", valueName: "count"))
    var acceptRate: Int?

    @Option(
        help: ArgumentHelp(
            "As many connects are worked on at once as get done in so long; others are refused for a moment. 0: any number. "
                + "Default: 1; with conformance 0.", valueName: "seconds"))
    var connectTarget: Double?

    @Option(
        help: ArgumentHelp(
            "Most that a drain takes, however little the other nodes can take. Default: 60.", valueName: "seconds"))
    var maxDrain: Int?

    @Option(help: "Least severe log level: trace, debug, info, notice, warning, error, critical.")
    var logLevel = "info"

    @Option(help: "Log lines for people (human), or one JSON object a line (json).")
    var logFormat: LogFormat = .human

    var logging: LogOptions { LogOptions(level: LogLevel(self.logLevel)?.level ?? .info, format: self.logFormat) }

    func apply(to configuration: inout Configuration) {
        configuration.listener = .init(host: self.host, port: self.port)
        if let controlPort = self.controlPort {
            configuration.control = .init(host: self.controlHost, port: controlPort)
        } else if self.controlHost != "127.0.0.1" {
            configuration.control = .init(host: self.controlHost, port: self.port == 0 ? 0 : self.port + 1000)
        }
        if let loops = self.loops { configuration.eventLoops = loops }
        configuration.live.recoveryWindow = Double(self.recovery)
        if let rate = self.acceptRate { configuration.live.acceptRate = rate }
        if let seconds = self.connectTarget { configuration.live.connectTarget = seconds }
        if let seconds = self.maxDrain {
            configuration.live.maxDrain = Double(seconds)
            configuration.live.drainSpread = min(configuration.live.drainSpread, Double(seconds))
        }
    }

    func validate() throws {
        guard (0...65_535).contains(self.port) else { throw ValidationError("--port takes 0 to 65535") }
        if let port = self.controlPort, !(0...65_535).contains(port) {
            throw ValidationError("--control-port takes 0 to 65535")
        }
        if let loops = self.loops, !(1...64).contains(loops) { throw ValidationError("--loops takes 1 to 64") }
        guard (0...3_600).contains(self.recovery) else { throw ValidationError("--recovery takes 0 to 3600 seconds") }
        if let rate = self.acceptRate, !(1...1_000_000).contains(rate) {
            throw ValidationError("--accept-rate takes 1 to 1000000")
        }
        if let seconds = self.connectTarget, !(0...60).contains(seconds) {
            throw ValidationError("--connect-target takes 0 to 60 seconds")
        }
        if let seconds = self.maxDrain, !(1...3_600).contains(seconds) {
            throw ValidationError("--max-drain takes 1 to 3600 seconds")
        }
        guard LogLevel(self.logLevel) != nil else {
            throw ValidationError("--log-level takes trace, debug, info, notice, warning, error or critical")
        }
    }
}
