import ArgumentParser
import Node

/// Whether and how the outbox is served (docs/outbox.md).
struct OutboxFlags: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Send what applications put into the collection Outbox, in their own transactions (docs/outbox.md). Needs --mongodb."
        )
    )
    var outbox = false

    @Option(
        help: ArgumentHelp(
            "How long documents of the outbox are kept once they are done with, with their receipts; 0: not at all.",
            valueName: "seconds"))
    var outboxKeep = 86_400

    @Option(
        help: ArgumentHelp(
            "Between looks into the outbox where no change stream tells that there is something.",
            valueName: "milliseconds"))
    var outboxPoll = 200

    @Option(help: ArgumentHelp("Documents of the outbox that this node has in its hands.", valueName: "count"))
    var outboxInFlight = 512

    @Option(
        help: ArgumentHelp(
            "How long a document is sent again while some node cannot be reached.", valueName: "seconds"))
    var outboxRetry = 60

    func validate() throws {
        guard (0...31_536_000).contains(self.outboxKeep) else {
            throw ValidationError("--outbox-keep takes 0 to 31536000 seconds")
        }
        guard (50...60_000).contains(self.outboxPoll) else {
            throw ValidationError("--outbox-poll takes 50 to 60000 milliseconds")
        }
        guard (16...2_048).contains(self.outboxInFlight) else {
            throw ValidationError("--outbox-in-flight takes 16 to 2048")
        }
        guard (0...3_600).contains(self.outboxRetry) else {
            throw ValidationError("--outbox-retry takes 0 to 3600 seconds")
        }
    }

    /// Call when ``Configuration/mongo`` is set.
    func apply(to settings: inout Configuration) {
        guard self.outbox else { return }
        settings.mongo?.outbox = Configuration.Mongo.Outbox(
            keep: self.outboxKeep, poll: Double(self.outboxPoll) / 1_000, inFlight: self.outboxInFlight,
            retry: self.outboxRetry)
    }
}
