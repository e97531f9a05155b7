import ArgumentParser
import Node

/// Flags of the commands that ask a running node about people.
struct ControlFlags: ParsableArguments {
    @OptionGroup var node: NodeFlags

    @Option(help: "The domain. Default: that of the key, or the only one there is.")
    var domain: String?

    /// Asks, and ends the command where there is no answer.
    func ask(_ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        try await self.node.ask(path, body)
    }
}
