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

    func validate() throws {
        for (name, value) in [("--presence-grace", self.presenceGrace), ("--moving-grace", self.movingGrace)] {
            if let value, !(0...600).contains(value) { throw ValidationError("\(name) takes 0 to 600 seconds") }
        }
    }

    func apply(to options: inout LiveOptions) {
        if let value = self.presenceGrace { options.presenceGrace = value }
        if let value = self.movingGrace { options.movingGrace = value }
    }
}
