import ArgumentParser
import Node

/// `submergence load slow`
struct SlowLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow",
        abstract: "Publish to one user with many tabs, some of which hardly read.",
        discussion: """
            The first --slow connections read --slow-rate bytes a second with a small receive window. Latency is that of \
            the others; of the slow ones it is told how they ended, when, and what they got until then. With --pid the \
            node's memory is sampled.

            EXAMPLE
              submergence load slow --url http://127.0.0.1:3000 --connections 101 --slow 1 --slow-rate 1024 --rate 200 \
            --bytes 1024 --duration 60
            """,
        version: Version.text)

    @OptionGroup var flags: LoadFlags
    @OptionGroup var publishing: PublishingFlags

    @Option(help: "Connections that read slowly.")
    var slow = 1

    @Option(help: ArgumentHelp("What each of them reads.", valueName: "bytes/s"))
    var slowRate = 1024

    func validate() throws {
        guard self.slow >= 1, self.slow < self.flags.connections else {
            throw ValidationError("--slow takes 1 to one less than --connections")
        }
        guard (10...100_000_000).contains(self.slowRate) else {
            throw ValidationError("--slow-rate takes 10 to 100000000")
        }
    }

    func run() async throws {
        var plan = try self.flags.plan("slow", work: .receive, duration: self.publishing.duration)
        plan.tabs = plan.connections
        try self.publishing.apply(to: &plan)
        plan.slow = LoadPlan.Slow(connections: self.slow, bytesPerSecond: self.slowRate)
        try await LoadRunner.run(plan, json: self.flags.json)
    }
}
