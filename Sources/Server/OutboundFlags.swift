import ArgumentParser
import Node

/// Flags of what a node asks others: webhooks, key sets (docs/webhooks.md, "Where requests go").
struct OutboundFlags: ParsableArguments {
    @Option(
        name: .customLong("outbound-ca"),
        help: ArgumentHelp(
            "File of certificates (PEM) of authorities that are trusted beside the system's where webhooks and key sets are "
                + "asked by https.", valueName: "path"))
    var authorities: String?

    func apply(to configuration: inout Configuration) { configuration.outboundCA = self.authorities }
}
