import ArgumentParser
import Node

/// `submergence load storm`
struct StormLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm",
        abstract: "Drop all connections at once, and measure until all are back.",
        discussion: """
            Each round resets every connection (TCP RST), and all return at once, --concurrency of them at a time. Then they \
            are held for --hold seconds; a connection that is dropped meanwhile breaks the promise.

            EXAMPLE
              submergence load storm --url http://127.0.0.1:8080 --connections 5000 --concurrency 500 --rounds 3
            """,
        version: Version.text)

    @OptionGroup var flags: LoadFlags

    @Option(help: "Times that all connections are dropped.")
    var rounds = 3

    @Option(help: ArgumentHelp("How long to hold them at the end.", valueName: "seconds"))
    var hold = 1.0

    func validate() throws {
        guard (1...1000).contains(self.rounds) else { throw ValidationError("--rounds takes 1 to 1000") }
        try LoadFlags.check("hold", self.hold)
    }

    func run() async throws {
        let plan = try self.flags.plan("storm", work: .storm(rounds: self.rounds), duration: self.hold)
        try await LoadRunner.run(plan, json: self.flags.json)
    }
}
