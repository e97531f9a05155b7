import ArgumentParser
import Foundation
import Node

/// `submergence status`: the cluster as one node sees it.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the cluster as one node sees it.",
        discussion: """
            EXAMPLE
              submergence status --url http://127.0.0.1:9081

            EXIT CODES
              0   the node takes connections
              1   it does not; why is printed. Or it has refused to say
              64  wrong arguments
              69  no node answers
            """,
        version: Version.text)

    @OptionGroup var control: ControlFlags

    @Flag(help: "Print the node's whole answer as JSON.")
    var json = false

    func run() async throws {
        let answer = try await self.control.ask("/v1/status")
        if self.json { print(answer.text) } else { print(Self.lines(answer).joined(separator: "\n")) }
        if case .array(let reasons) = answer["unready"], !reasons.isEmpty { throw ExitCode.failure }
    }

    private static func lines(_ answer: JSONValue) -> [String] {
        func texts(_ key: String) -> [String] {
            if case .array(let elements) = answer[key] { elements.compactMap(\.string) } else { [] }
        }
        var lines = [
            "node        \(answer["name"]?.string ?? "without a name") (\(answer["node"]?.string ?? "no lease"))",
            "version     \(answer["version"]?.string ?? "?")",
            "domains     \(texts("domains").joined(separator: ", "))",
            "connections \(answer["connections"]?.int ?? 0) of \(answer["users"]?.int ?? 0) users",
        ]
        lines += texts("unready").map { "NOT READY   \($0)" }
        lines += texts("findings").map { "            \($0)" }
        guard case .array(let nodes) = answer["nodes"] else { return lines }
        lines.append("cluster     \(nodes.count) nodes")
        for node in nodes {
            let started = Date(timeIntervalSince1970: Double(node["started"]?.int ?? 0) / 1000)
            let name = node["name"]?.string ?? node["id"]?.string ?? "?"
            lines.append("            \(name) \(node["state"]?.string ?? "?"), since \(started.formatted(.iso8601))")
        }
        return lines
    }
}
