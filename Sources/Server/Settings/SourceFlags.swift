import ArgumentParser
import Foundation

/// Where else a command looks for what its flags do not say.
struct SourceFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Configuration file (YAML). Default: $SUBMERGENCE_CONFIG, else none.", valueName: "file"))
    var config: String?

    /// The command line as if everything had been said on it. Ends the program where the environment or the file cannot be
    /// taken: it names every mistake.
    static func completed(_ arguments: [String], environment: [String: String]) -> [String] {
        guard let command = arguments.first, command != "check", !SettingsTable.settings(of: command).isEmpty,
            !arguments.contains(where: ["--help", "-h", "--version", "--help-hidden"].contains)
        else { return arguments }
        let rest = Array(arguments.dropFirst())
        let effective = EffectiveSettings(command: command, arguments: rest, environment: environment)
        let mistakes = effective.mistakes.filter(\.isForeign)
        guard mistakes.isEmpty else {
            for mistake in mistakes { Runner.complain(mistake) }
            Foundation.exit(ExitCode.wrongConfiguration.rawValue)
        }
        return [command] + effective.inserted + rest
    }
}

extension EffectiveSettings {
    /// Of this process, as it was called.
    static func current(of command: String) -> EffectiveSettings {
        EffectiveSettings(
            command: command, arguments: Array(CommandLine.arguments.dropFirst(2)),
            environment: ProcessInfo.processInfo.environment)
    }
}

extension SettingMistake {
    /// Whether it is in a file or the environment; those of the command line its parser finds.
    var isForeign: Bool {
        switch self.place {
        case .file, .variable: true
        case .flag, .fallback: false
        }
    }
}
