import ArgumentParser
import Node

/// `submergence load deliver`
struct DeliverLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliver",
        abstract: "Publish to many users and check that each tab gets everything once and in order.",
        discussion: """
            Every --tabs connections are one user. An event counts as lost if its receipt promised delivery or storage and \
            a connection did not get it that was live throughout or was told `recovered`. With --cut-every each \
            connection is reset once in that time and returns after --cut-for; with --recover it presents {pid, offset} as \
            the official client does. A return without recovery begins a new account.

            EXAMPLES
              submergence load deliver --url http://127.0.0.1:8081 --url http://127.0.0.1:8082 --connections 1000
              submergence load deliver --url http://127.0.0.1:8081 --url http://127.0.0.1:8082 --connections 2000 \
            --publishers 6 --rate 5 --duration 60 --cut-every 10 --cut-for 2 --recover --roam
            """,
        version: Version.text)

    @OptionGroup var flags: LoadFlags
    @OptionGroup var publishing: PublishingFlags

    @Option(help: "Connections of each user.")
    var tabs = 1

    @Option(help: ArgumentHelp("Reset each connection once in this time, staggered.", valueName: "seconds"))
    var cutEvery: Double?

    @Option(help: ArgumentHelp("Time until it returns.", valueName: "seconds"))
    var cutFor = 2.0

    @Flag(help: "Present {pid, offset} on return: connection state recovery.")
    var recover = false

    @Flag(help: "Return to the next URL after each cut.")
    var roam = false

    func validate() throws {
        guard self.tabs >= 1, self.flags.connections % self.tabs == 0 else {
            throw ValidationError("--connections must be a multiple of --tabs")
        }
        try LoadFlags.check("cut-for", self.cutFor, in: 0...3600)
        if let cutEvery = self.cutEvery {
            try LoadFlags.check("cut-every", cutEvery)
            guard cutEvery > self.cutFor else { throw ValidationError("--cut-every must be more than --cut-for") }
        }
    }

    func run() async throws {
        var plan = try self.flags.plan("deliver", work: .receive, duration: self.publishing.duration)
        plan.tabs = self.tabs
        try self.publishing.apply(to: &plan)
        plan.recovers = self.recover
        plan.roams = self.roam
        plan.cuts = self.cutEvery.map {
            LoadPlan.Cuts(every: LoadFlags.microseconds($0), pause: LoadFlags.microseconds(self.cutFor))
        }
        try await LoadRunner.run(plan, json: self.flags.json)
    }
}
