import ArgumentParser
import Node

/// Limits and times that operators set; all others are in the library's `Configuration`.
struct LimitFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Time between heartbeats. Default: 10000.", valueName: "ms"))
    var pingInterval: Int?

    @Option(help: ArgumentHelp("Time to answer a heartbeat. Default: 10000.", valueName: "ms"))
    var pingTimeout: Int?

    @Option(
        help: ArgumentHelp("Most of one polling request or WebSocket message. Default: 1000000.", valueName: "bytes"))
    var maxPayload: Int?

    @Option(
        help: ArgumentHelp(
            "Sockets of one client address on this node, an IPv6 address being its /64; 0: any number. Default: 1000, and "
                + "any number with --dev.", valueName: "count"))
    var maxSocketsPerAddress: Int?

    @Option(
        help: ArgumentHelp(
            "New sockets of one client address each second, ten times as many at once; 0: any number. Default: 100, and "
                + "any number with --dev.", valueName: "count"))
    var handshakesPerSecond: Int?

    func validate() throws {
        for (name, value) in [("--ping-interval", self.pingInterval), ("--ping-timeout", self.pingTimeout)] {
            if let value, !(10...86_400_000).contains(value) {
                throw ValidationError("\(name) takes 10 to 86400000 milliseconds")
            }
        }
        if let bytes = self.maxPayload, !(1...(1 << 30)).contains(bytes) {
            throw ValidationError("--max-payload takes 1 to 1073741824 bytes")
        }
        if let count = self.maxSocketsPerAddress, !(0...Int(Int32.max)).contains(count) {
            throw ValidationError("--max-sockets-per-address takes 0 to \(Int32.max)")
        }
        if let count = self.handshakesPerSecond, !(0...100_000).contains(count) {
            throw ValidationError("--handshakes-per-second takes 0 to 100000")
        }
    }

    func apply(to configuration: inout Configuration) {
        if let value = self.pingInterval { configuration.live.pingInterval = Double(value) / 1000 }
        if let value = self.pingTimeout { configuration.live.pingTimeout = Double(value) / 1000 }
        if let value = self.maxPayload { configuration.live.maximumPayload = value }
        if let count = self.maxSocketsPerAddress {
            configuration.live.limits.socketsPerAddress = count == 0 ? nil : count
        }
        if let count = self.handshakesPerSecond {
            configuration.live.limits.handshakes = count == 0 ? nil : .init(perSecond: count, burst: count * 10)
        }
    }
}
