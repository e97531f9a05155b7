import ArgumentParser
import Node

/// Flags of HTTP and WebSocket (docs/operations.md, "Transports").
struct TransportFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Origin whose pages may use the engine path, e.g. https://app.example or https://*.app.example, or * for any; "
                + "may be repeated. Default: none.", valueName: "origin"))
    var corsOrigin: [String] = []

    @Flag(help: "Pages of other origins may send cookies; not with *.")
    var corsCredentials = false

    @Option(help: ArgumentHelp("Where Socket.IO lives. Default: /socket.io/", valueName: "path"))
    var path: String?

    @Option(help: "Name of an affinity cookie that names the node. Default: none.")
    var cookie: String?

    @Option(
        help: ArgumentHelp(
            "Put before the ids of sessions that poll, so that a proxy sees whose they are. Default: none.",
            valueName: "label"))
    var sessionLabel: String?

    @Flag(help: "Compress the answers to polls, from 1,024 bytes on.")
    var compressPolling = false

    @Flag(help: "Offer permessage-deflate on WebSocket, from 1,024 bytes on.")
    var compressMessages = false

    func apply(to options: inout TransportOptions) {
        if self.corsOrigin == ["*"] {
            options.crossOrigin.origins = .any
        } else if !self.corsOrigin.isEmpty {
            options.crossOrigin.origins = .list(self.corsOrigin)
        }
        options.crossOrigin.credentials = self.corsCredentials
        if let path = self.path { options.path = path }
        if let name = self.cookie { options.cookie = AffinityCookie(name: name) }
        options.sessionLabel = self.sessionLabel
        if self.compressPolling { options.pollingCompression = .init() }
        if self.compressMessages { options.messageCompression = .init() }
    }
}
