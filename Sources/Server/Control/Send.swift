import ArgumentParser
import Node

/// `submergence send`: an event to people, from the command line.
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send an event to people, on whichever node they are.",
        discussion: """
            Arguments are JSON; what is none is taken as a text. The receipts are printed, one line a person.

            EXAMPLES
              submergence send alice message '{"text":"hello"}'
              submergence send alice,bob notice 'maintenance at ten' --confirm 2

            EXIT CODES
              0   every event has been handed over, whether somebody was there or not
              1   the node has refused, or somebody may have missed the event
              64  wrong arguments
              69  no node answers
            """,
        version: Version.text)

    @OptionGroup var control: ControlFlags

    @Argument(help: "Whom: one user, or several with commas.")
    var users: String

    @Argument(help: "The event's name.")
    var event: String

    @Argument(help: "Its arguments.")
    var arguments: [String] = []

    @Option(help: "Only this device of theirs.")
    var client: String?

    @Option(help: ArgumentHelp("Ask the nodes what they have written, for up to so long.", valueName: "seconds"))
    var confirm: Double?

    @Flag(help: "Print the node's whole answer as JSON.")
    var json = false

    func run() async throws {
        let names = self.users.split(separator: ",").map { JSONValue.string(String($0)) }
        var command: [String: JSONValue] = [
            "users": .array(names), "event": .array([.string(self.event)] + self.arguments.map(Self.argument)),
        ]
        command["domain"] = self.control.domain.map { .string($0) }
        command["client"] = self.client.map { .string($0) }
        command["confirm"] = self.confirm.map { .double($0) }
        let answer = try await self.control.ask("/v1/event", .object(command))
        if self.json { print(answer.text) }
        var isComplete = true
        if case .array(let receipts) = answer["receipts"] {
            for receipt in receipts {
                isComplete = isComplete && receipt["receipt"]?["isComplete"]?.bool == true
                if !self.json { print(Self.line(receipt)) }
            }
        }
        if !isComplete { throw ExitCode.failure }
    }

    private static func argument(_ text: String) -> JSONValue { JSONValue(json: text) ?? .string(text) }

    private static func line(_ receipt: JSONValue) -> String {
        let user = receipt["user"]?.string ?? "?"
        guard let receipt = receipt["receipt"] else { return "\(user): no receipt" }
        var words: [String] = []
        if receipt["didReceive"]?.bool == true {
            words.append("\(receipt["local"]?.int ?? 0) connections here, \(receipt["nodes"]?.int ?? 0) other nodes")
        } else {
            words.append("nobody there")
        }
        if receipt["stored"]?.bool == true { words.append("stored for recovery") }
        if let outcome = receipt["confirmation"]?["outcome"]?.string { words.append(outcome) }
        if receipt["isComplete"]?.bool != true { words.append("somebody may have missed it") }
        return "\(user): \(words.joined(separator: ", "))"
    }
}
