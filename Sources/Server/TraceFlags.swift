import ArgumentParser
import Node

/// Which events are traced, and for how long (docs/operations.md, "Where did my event go?").
struct TraceFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Share of sent events whose way is written down for `submergence why`, beside those that ask for it, and of "
                + "webhooks that begin a trace where none came with the request. Needs --mongodb.", valueName: "0...1"))
    var trace = 0.0

    @Option(help: ArgumentHelp("How long that is kept.", valueName: "seconds"))
    var traceKeep = 3_600

    func validate() throws {
        guard (0...1).contains(self.trace) else { throw ValidationError("--trace takes 0 to 1") }
        guard (60...604_800).contains(self.traceKeep) else {
            throw ValidationError("--trace-keep takes 60 to 604800 seconds")
        }
    }

    /// Call when ``Configuration/mongo`` is set.
    func apply(to settings: inout Configuration) {
        settings.mongo?.traceRate = self.trace
        settings.mongo?.traceSeconds = self.traceKeep
    }
}
