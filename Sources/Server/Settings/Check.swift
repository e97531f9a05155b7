import ArgumentParser
import Foundation
import Node

/// `submergence check`: what counts, where it comes from, and what is wrong.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain every value of a configuration, and every mistake.",
        discussion: """
            Takes all flags of `serve`, reads the environment and the file as `serve` does, and starts nothing. For each setting it
            tells what counts and where that comes from: a flag, the environment, a line of the file, or the default. For each
            mistake it tells the place, the cause, and what to do. Files of keys and secrets are read; MongoDB is not asked.

            EXAMPLES
              submergence check --config /etc/submergence.yaml
              submergence check --json --config /etc/submergence.yaml --port 9000

            EXIT CODES
              0   nothing is wrong
              64  wrong arguments of check itself
              78  there are mistakes
            """,
        version: Version.text)

    @OptionGroup var source: SourceFlags

    @Flag(help: "One JSON object with all settings and mistakes, for programs.")
    var json = false

    /// For docs/configuration.md.
    @Flag(help: .hidden)
    var reference = false

    @Argument(
        parsing: .allUnrecognized, help: ArgumentHelp("Flags of serve, looked at with the rest.", valueName: "flags"))
    var flags: [String] = []

    func run() async throws {
        if self.reference {
            print(SettingsReference.text, terminator: "")
            return
        }
        let named = self.source.config.map { ["--\(SettingsTable.fileFlag)", $0] } ?? []
        let check = ConfigurationCheck(
            EffectiveSettings(
                command: "check", arguments: named + self.flags, environment: ProcessInfo.processInfo.environment))
        let report = CheckReport(check)
        print(self.json ? try report.json : report.text, terminator: "")
        if check.mistakes.contains(where: { !$0.isWarning }) { throw ExitCode.wrongConfiguration }
    }
}
