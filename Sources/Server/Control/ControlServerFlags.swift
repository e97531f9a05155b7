import ArgumentParser
import Node

/// Flags of the control API and its dashboard.
struct ControlServerFlags: ParsableArguments {
    @Option(help: "File with the control API's keys, as `submergence keys` makes it.")
    var controlKeys: String?

    @Option(
        help: ArgumentHelp(
            "A host name by which a proxy with TLS reaches a control listener on loopback; only with --control-keys. May be "
                + "repeated.", valueName: "name"))
    var controlName: [String] = []

    @Option(
        help: ArgumentHelp(
            "Requests a second of one control key; more are answered 429. 0: any number. Default: 200.",
            valueName: "count"))
    var controlRate: Int?

    func apply(to configuration: inout Configuration) {
        configuration.controlKeys = self.controlKeys
        configuration.controlAPI.names = self.controlName
        if let rate = self.controlRate { configuration.controlAPI.requestRate = rate }
    }

    func validate() throws {
        if let rate = self.controlRate, !(0...1_000_000).contains(rate) {
            throw ValidationError("--control-rate takes 0 to 1000000")
        }
        guard self.controlName.isEmpty || self.controlKeys != nil else {
            throw ValidationError(
                "--control-name needs --control-keys: without keys the listener answers to loopback only")
        }
    }
}
