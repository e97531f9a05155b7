import ArgumentParser
import Node

/// `submergence kick`: ends somebody's connections, and with `--logout` their sessions.
struct KickCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kick",
        abstract: "Disconnect somebody on every node.",
        discussion: """
            EXAMPLES
              submergence kick alice
              submergence kick alice --client laptop --logout

            EXIT CODES
              0   every node has been told
              1   the node has refused
              64  wrong arguments
              69  no node answers
            """,
        version: Version.text)

    @OptionGroup var control: ControlFlags

    @Argument(help: "Whom.")
    var user: String

    @Option(help: "Only this device of theirs.")
    var client: String?

    @Flag(help: "End their sessions as well: they have to log in again.")
    var logout = false

    func run() async throws {
        var command: [String: JSONValue] = ["user": .string(self.user)]
        command["domain"] = self.control.domain.map { .string($0) }
        command["client"] = self.client.map { .string($0) }
        _ = try await self.control.ask(self.logout ? "/v1/logout" : "/v1/kick", .object(command))
    }
}
