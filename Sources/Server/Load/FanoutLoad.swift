import ArgumentParser
import Node

/// `submergence load fanout`
struct FanoutLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout",
        abstract: "Publish to one user with many tabs and measure deliveries.",
        discussion: """
            All connections are tabs of one user; --rate is the publishers' total.

            EXAMPLE
              submergence load fanout --url http://127.0.0.1:3000 --connections 100 --rate 1000
            """,
        version: Version.text)

    @OptionGroup var flags: LoadFlags
    @OptionGroup var publishing: PublishingFlags

    func run() async throws {
        var plan = try self.flags.plan("fanout", work: .receive, duration: self.publishing.duration)
        plan.tabs = plan.connections
        try self.publishing.apply(to: &plan)
        try await LoadRunner.run(plan, json: self.flags.json)
    }
}
