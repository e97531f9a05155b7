import ArgumentParser
import Node

/// How long presence outlives connections (docs/operations.md, "Presence").
struct GraceFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long a user or device without a connection stays announced online, so that a reload announces nothing. "
                + "0: not at all. Default: 5.", valueName: "seconds"))
    var presenceGrace: Double?

    @Option(
        help: ArgumentHelp(
            "The same for connections that a draining node sends elsewhere, if that is longer. Default: 20.",
            valueName: "seconds"))
    var movingGrace: Double?

    @Option(
        help: ArgumentHelp(
            "How long a Link waits for a party without a connection, so that a reload keeps it. 0: not at all. Default: 10.",
            valueName: "seconds"))
    var linkGrace: Double?

    func validate() throws {
        for (name, value) in [
            ("--presence-grace", self.presenceGrace), ("--moving-grace", self.movingGrace),
            ("--link-grace", self.linkGrace),
        ] {
            if let value, !(0...600).contains(value) { throw ValidationError("\(name) takes 0 to 600 seconds") }
        }
    }

    func apply(to options: inout LiveOptions) {
        if let value = self.presenceGrace { options.presenceGrace = value }
        if let value = self.movingGrace { options.movingGrace = value }
        if let value = self.linkGrace { options.linkGrace = value }
    }
}
