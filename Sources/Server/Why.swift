import ArgumentParser
import Foundation
import Node

/// `submergence why`: where an event went.
struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what became of a traced event, node by node.",
        discussion: """
            An event is traced if its send asked for it, or if --trace of its node has chosen it; its receipt has the id then.

            EXAMPLE
              submergence why WqJ0tq4mRk2bQyA9cIuL0g --mongodb 'mongodb://router/?directConnection=false'

            EXIT CODES
              0   it was told
              64  wrong arguments
              66  no trace of this id: it was not traced, is longer ago than --trace-keep, or its node has not written it yet
              69  MongoDB cannot be reached
            """,
        version: Version.text)

    @Argument(help: "The event's id, as its receipt has it.")
    var id: String

    @OptionGroup var source: SourceFlags
    @OptionGroup var mongo: MongoFlags

    @Flag(help: "One JSON object a line, for programs.")
    var json = false

    func validate() throws {
        guard self.mongo.isSet else {
            throw ValidationError("why needs --mongodb with the connection string of the cluster")
        }
    }

    func run() async throws {
        guard let options = try Runner.mongo(self.mongo) else { preconditionFailure("checked in validate()") }
        let trace: EventTrace?
        do {
            trace = try await EventTrace.read(self.id, options)
        } catch let error as StartError {
            Runner.complain(error)
            throw ExitCode.cannotStart
        }
        guard let trace, let first = trace.steps.first else {
            Runner.complain(
                "no trace of \(self.id): it was not traced, it has expired, or its node has not written it yet")
            throw ExitCode.noTrace
        }
        if self.json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for step in trace.steps { print(String(decoding: try encoder.encode(step), as: UTF8.self)) }
        } else {
            let width = trace.steps.reduce(0) { max($0, $1.node.count) }
            for step in trace.steps { print(Self.line(step, since: first.time, width: width)) }
        }
    }

    private static func line(_ step: EventTrace.Step, since start: Int64, width: Int) -> String {
        let date = Date(timeIntervalSince1970: Double(step.time) / 1_000)
        let time = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let offset = "\(step.time < start ? "" : "+")\(step.time - start) ms"
        let node = step.node + String(repeating: " ", count: width - step.node.count)
        return "\(time)  \(String(repeating: " ", count: max(0, 10 - offset.count)))\(offset)  \(node)  \(step.text)"
    }
}
