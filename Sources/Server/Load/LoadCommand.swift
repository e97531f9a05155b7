import ArgumentParser
import Node

/// `submergence load`: drives a Socket.IO server and keeps account of what it promised.
struct LoadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Load a Socket.IO server and check that nothing is lost, duplicated or reordered.",
        discussion: """
            Any Socket.IO 4 server, over WebSocket without TLS. `connect` and `storm` need nothing of it; `echo` needs an event of that \
            name that acknowledges its arguments; the others need `pub` (user, payload) as `submergence conformance` has \
            it, and identities taken from the CONNECT payload {user, client}.

            EXAMPLE
              submergence conformance --port 3000 --ping-interval 10000 --ping-timeout 10000 &
              submergence load deliver --url http://127.0.0.1:3000 --connections 2000 --rate 5 --publishers 4

            EXIT CODES
              0   the promise held
              1   something was lost, duplicated, reordered or mangled, nothing came, or connections were away at the end
              64  wrong arguments
              69  no server answers, not all connections came live in time, or too few descriptors are allowed
            """,
        version: Version.text,
        subcommands: [
            ConnectLoad.self, StormLoad.self, EchoLoad.self, DeliverLoad.self, CrossLoad.self, FanoutLoad.self,
            SlowLoad.self,
        ])
}
