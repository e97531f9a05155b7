import ArgumentParser
import Foundation
import Node

/// The `submergence` executable: its commands, and nothing else.
@main
struct Submergence: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submergence",
        abstract: "Reach people, not sockets: a cluster of Socket.IO nodes that delivers events by identity.",
        discussion: """
            EXAMPLE
              submergence serve --dev
                  one node on http://127.0.0.1:8080, everything in memory, demo at /demo/

            EXIT CODES
              0   ended in good order
              1   failed while running
              64  wrong arguments
              66  no trace of this event (why)
              69  cannot start: something it needs is not there (MongoDB, a free port, a key file)
              75  superseded by a newer process of the same node name
              78  the configuration file or the environment is wrong: every mistake is named, with its line
            """,
        version: Version.text,
        subcommands: [
            Serve.self, Check.self, Conformance.self, InitDB.self, Status.self, Send.self, KickCommand.self,
            ConfigCommand.self, Why.self, Keys.self, LoadCommand.self,
        ])

    /// Puts what the environment and the configuration file say before what the command line says, and goes on as ever.
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        await self.main(SourceFlags.completed(arguments, environment: ProcessInfo.processInfo.environment))
    }
}
