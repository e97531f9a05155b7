import ArgumentParser
import Node

/// `submergence load connect`
struct ConnectLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Connect as fast as the concurrency allows, and hold the connections.",
        discussion: """
            Reports connects per second and drops while holding. A dropped connection breaks the promise.

            EXAMPLE
              submergence load connect --url http://127.0.0.1:8080 --connections 10000 --concurrency 500 --hold 30
            """,
        version: Version.text)

    @OptionGroup var flags: LoadFlags

    @Option(help: ArgumentHelp("How long to hold them, answering heartbeats.", valueName: "seconds"))
    var hold = 10.0

    func validate() throws { try LoadFlags.check("hold", self.hold) }

    func run() async throws {
        let plan = try self.flags.plan("connect", work: .hold, duration: self.hold)
        try await LoadRunner.run(plan, json: self.flags.json)
    }
}
