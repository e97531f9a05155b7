import ArgumentParser
import Foundation
import Node

/// Which running node a command asks, and by which key.
struct NodeFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The node's control listener.", valueName: "url"))
    var url = "http://127.0.0.1:9080"

    @Option(
        help: ArgumentHelp(
            "File with the secret of a control key. Default: the environment's SUBMERGENCE_KEY; none in development mode.",
            valueName: "file"))
    var keyFile: String?

    func validate() throws {
        guard self.url.hasPrefix("http://") || self.url.hasPrefix("https://") else {
            throw ValidationError("--url takes an address like http://127.0.0.1:9080")
        }
    }

    /// Asks, and ends the command where there is no answer.
    func ask(_ path: String, _ body: JSONValue? = nil, method: ActionMethod = .post) async throws -> JSONValue {
        do {
            return try await ControlClient(base: self.url, key: self.key()).ask(path, body, method: method)
        } catch let failure as ControlClient.Failure {
            Runner.complain(failure)
            if case .unreachable = failure { throw ExitCode.cannotStart }
            throw ExitCode.failure
        }
    }

    private func key() throws -> String? {
        guard let file = self.keyFile else { return ProcessInfo.processInfo.environment["SUBMERGENCE_KEY"] }
        do {
            return try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            Runner.complain("cannot read the key file \(file): \(error.localizedDescription)")
            throw ExitCode.cannotStart
        }
    }
}
