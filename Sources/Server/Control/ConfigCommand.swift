import ArgumentParser
import Foundation
import Node

/// `submergence config`: where actions and hooks of a domain go, read and changed while nodes run.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show and change a domain's configuration.",
        discussion: """
            What `get` prints is what `put` takes, with the version that is to be replaced: whatever somebody else has stored in
            between is not lost.

            EXAMPLE
              submergence config get app.example > app.json
              submergence config put app.example app.json

            EXIT CODES
              0   done
              1   the node has refused: another version is stored, or there are mistakes, which are named
              64  wrong arguments
              69  no node answers, or the file cannot be read
            """,
        version: Version.text, subcommands: [Get.self, Put.self])

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the configuration of a domain, and its version.", version: Version.text)

        @OptionGroup var node: NodeFlags

        @Argument(help: "The domain.")
        var domain: String

        func run() async throws {
            print(try await self.node.ask(ConfigCommand.path(self.domain)).text)
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Store the configuration of a domain; prints its new version.", version: Version.text)

        @OptionGroup var node: NodeFlags

        @Argument(help: "The domain.")
        var domain: String

        @Argument(help: "A file with a JSON object that has `version` and `configuration`, as `get` prints it.")
        var file: String

        func run() async throws {
            let text: String
            do {
                text = try String(contentsOfFile: self.file, encoding: .utf8)
            } catch {
                Runner.complain("cannot read \(self.file): \(error.localizedDescription)")
                throw ExitCode.cannotStart
            }
            guard let value = JSONValue(json: text), let version = value["version"]?.int,
                let configuration = value["configuration"]
            else {
                Runner.complain("\(self.file) is no JSON object with version and configuration")
                throw ExitCode.cannotStart
            }
            let body: JSONValue = ["version": .int(version), "configuration": configuration]
            let answer = try await self.node.ask(ConfigCommand.path(self.domain), body, method: .put)
            print(answer["version"]?.int ?? 0)
        }
    }

    private static func path(_ domain: String) -> String {
        let name = domain.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(["-", ".", "_"])) ?? domain
        return "/v1/config/\(name)"
    }
}
