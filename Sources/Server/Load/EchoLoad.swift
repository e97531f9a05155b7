import ArgumentParser
import Node

/// `submergence load echo`
struct EchoLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Send `echo` events with ack and measure the round trip.",
        discussion: """
            With --in-flight each connection sends the next event when an ack comes. With --rate events are sent on \
            schedule, whatever the answers do, and latency counts from the time they were due.

            EXAMPLES
              submergence load echo --url http://127.0.0.1:3000 --connections 64 --in-flight 16
              submergence load echo --url http://127.0.0.1:3000 --connections 64 --rate 20000
            """,
        version: Version.text)

    @OptionGroup var flags: LoadFlags

    @Option(help: ArgumentHelp("Time for which events are sent.", valueName: "seconds"))
    var duration = 10.0

    @Option(help: "Events of one connection that wait for their ack.")
    var inFlight = 1

    @Option(help: "Events a second, from all connections together; in place of --in-flight.")
    var rate: Double?

    @Option(help: "Bytes of padding in a payload.")
    var bytes = 32

    func validate() throws {
        try LoadFlags.check("duration", self.duration)
        guard (1...10_000).contains(self.inFlight) else { throw ValidationError("--in-flight takes 1 to 10000") }
        if let rate = self.rate, !(0.001...10_000_000).contains(rate) {
            throw ValidationError("--rate takes 0.001 to 10000000")
        }
        guard (0...1_000_000).contains(self.bytes) else { throw ValidationError("--bytes takes 0 to 1000000") }
    }

    func run() async throws {
        var plan = try self.flags.plan(
            "echo", work: .echo(inFlight: self.inFlight, rate: self.rate), duration: self.duration)
        plan.padding = self.bytes
        try await LoadRunner.run(plan, json: self.flags.json)
    }
}
