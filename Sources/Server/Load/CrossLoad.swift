import ArgumentParser
import Node

/// `submergence load cross`
struct CrossLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cross",
        abstract: "Publish at one node to users at the others, and measure what crosses.",
        discussion: """
            Publishers connect to the first --url and everybody else to the others, so that every event goes from node to \
            node. With --in-flight a publisher sends the next event when a receipt comes; with --rate events are sent on \
            schedule.

            EXAMPLES
              submergence load cross --url http://127.0.0.1:8081 --url http://127.0.0.1:8082 --connections 100 --in-flight 64
              submergence load cross --url http://127.0.0.1:8081 --url http://127.0.0.1:8082 --connections 100 --rate 5
            """,
        version: Version.text)

    @OptionGroup var flags: LoadFlags
    @OptionGroup var publishing: PublishingFlags

    func validate() throws {
        guard self.flags.url.count >= 2 else {
            throw ValidationError("cross takes two --url or more, one for each node")
        }
    }

    func run() async throws {
        var plan = try self.flags.plan("cross", work: .receive, duration: self.publishing.duration)
        plan.keepsPublishersApart = true
        try self.publishing.apply(to: &plan)
        try await LoadRunner.run(plan, json: self.flags.json)
    }
}
