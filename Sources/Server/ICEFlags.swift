import ArgumentParser
import Foundation
import Node

/// Flags of ICE servers (SPEC LK-18, docs/turn.md). The relays' secret comes from a file or the environment only: a command
/// line is seen by everybody on the machine.
struct ICEFlags: ParsableArguments {
    /// Where the secret is looked for when no file is named.
    static let secretVariable = "SUBMERGENCE_TURN_SECRET"

    @Option(
        help: ArgumentHelp(
            "A STUN server that pages are told of, e.g. stun:stun.app.example:3478. May be repeated.", valueName: "url")
    )
    var iceServer: [String] = []

    @Option(
        help: ArgumentHelp(
            "A TURN relay that pages are told of, with credentials of their own, e.g. "
                + "turn:turn.app.example:3478?transport=udp. May be repeated.", valueName: "url"))
    var turnURL: [String] = []

    @Option(
        help: ArgumentHelp(
            "File of mode 0600 whose first line is the secret that the relays share. Default: $SUBMERGENCE_TURN_SECRET.",
            valueName: "path"))
    var turnSecretFile: String?

    @Option(help: ArgumentHelp("How long credentials for relays are good. Default: 3600.", valueName: "seconds"))
    var turnLifetime: Double?

    func apply(to configuration: inout Configuration) {
        configuration.ice.servers = self.iceServer
        configuration.ice.turnURLs = self.turnURL
        if let file = self.turnSecretFile {
            configuration.ice.turnSecret = .file(file)
        } else if !self.turnURL.isEmpty, let text = ProcessInfo.processInfo.environment[Self.secretVariable] {
            configuration.ice.turnSecret = .value(text)
        }
        if let seconds = self.turnLifetime { configuration.ice.turnLifetime = seconds }
    }
}
