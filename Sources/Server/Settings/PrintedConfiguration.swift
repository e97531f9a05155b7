import Foundation

/// The effective configuration as a file that can be fed back: every setting, with where it comes from. Never a secret.
struct PrintedConfiguration {
    let text: String

    init(_ effective: EffectiveSettings) {
        var lines = [
            "# The effective configuration. Secrets are not in it: where there is one, a comment says what to do."
        ]
        for section in Setting.Section.allCases {
            lines += ["", "\(section.rawValue):"]
            for setting in effective.settings where setting.section == section {
                lines += Self.lines(setting, effective).map { "  " + $0 }
            }
        }
        self.text = lines.joined(separator: "\n") + "\n"
    }

    private static func lines(_ setting: Setting, _ effective: EffectiveSettings) -> [String] {
        let hidden = SettingsTable.secretVariables.first {
            $0.value == setting.flag && effective.secrets.contains($0.key)
        }
        guard let value = effective.values[setting.flag] else {
            if let hidden { return ["# \(setting.name): <hidden>  # \(hidden.key) in the environment counts"] }
            guard let fallback = effective.fallback(of: setting) else {
                return ["# \(setting.name):  # default: \(setting.otherwise ?? "none")"]
            }
            return ["\(setting.name): \(self.value(setting, fallback))  # default"]
        }
        if setting.isSecret, value.arguments.contains(where: ConnectionSecret.isIn) {
            return [
                "# \(setting.name): <hidden>  # \(value.place.source); put it into a file of mode 0600, and name that:",
                "# \(setting.name)-file:",
            ]
        }
        let texts = value.arguments.map { argument in
            setting.kind.isPath && !argument.contains("://")
                ? URL(fileURLWithPath: argument).standardizedFileURL.path : setting.kind.text(of: argument)
        }
        return ["\(setting.name): \(self.value(setting, texts))  # \(value.place.source)"]
    }

    private static func value(_ setting: Setting, _ texts: [String]) -> String {
        let scalars = texts.map(self.scalar)
        return setting.isList ? "[\(scalars.joined(separator: ", "))]" : scalars.last ?? "\"\""
    }

    /// Quoted unless it can be nothing else than that text.
    static func scalar(_ text: String) -> String {
        let isPlain =
            text.first.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "/") } ?? false
            && !["null", "Null", "NULL"].contains(text) && text.last != ":"
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._:@+-".contains($0)) }
        if isPlain { return text }
        let escaped = text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
        return "\"\(escaped)\""
    }
}

extension EffectiveSettings {
    /// What counts of a setting that nobody has set, as text.
    func fallback(of setting: Setting) -> [String]? {
        let isDevelopment = self.values["dev"]?.arguments == ["true"]
        let fallback = isDevelopment ? setting.developmentFallback ?? setting.fallback : setting.fallback
        return fallback.isEmpty ? nil : fallback
    }
}
