import Foundation

/// What `submergence check` says.
struct CheckReport: Encodable {
    struct Row: Encodable {
        let key: String
        /// nil: nothing is set, and there is no default. Never a secret.
        let value: String?
        /// `default`, `flag`, `environment` or `file`.
        let from: String
        let place: Place
    }

    /// Fields that do not apply are left out.
    struct Place: Encodable {
        var file: String?
        var line: Int?
        var column: Int?
        var flag: String?
        var variable: String?

        init(_ place: SettingPlace) {
            switch place {
            case .file(let path, let line, let column): (self.file, self.line, self.column) = (path, line, column)
            case .flag(let flag): self.flag = "--" + flag
            case .variable(let name): self.variable = name
            case .fallback: break
            }
        }
    }

    struct Mistake: Encodable {
        let severity: String
        let place: Place
        let key: String?
        let what: String
        let why: String
        let remedy: String
    }

    let file: String?
    let settings: [Row]
    let mistakes: [Mistake]
    private let lines: [String]

    private enum CodingKeys: CodingKey { case file, settings, mistakes }

    init(_ check: ConfigurationCheck) {
        let effective = check.effective
        self.file = effective.file
        self.settings = effective.settings.map { setting in
            guard let value = effective.values[setting.flag] else {
                let fallback = effective.fallback(of: setting)?.joined(separator: ", ")
                let isHidden = SettingsTable.secretVariables.first {
                    $0.value == setting.flag && effective.secrets.contains($0.key)
                }
                if let isHidden {
                    return Row(
                        key: setting.key, value: "<hidden>", from: "environment", place: Place(.variable(isHidden.key)))
                }
                let text = fallback.map { setting.isList ? "[\($0)]" : $0 }
                return Row(key: setting.key, value: text, from: "default", place: Place(.fallback))
            }
            return Row(
                key: setting.key, value: setting.shown(value.arguments), from: value.place.kind,
                place: Place(value.place))
        }
        self.mistakes = check.mistakes.map {
            Mistake(
                severity: $0.isWarning ? "warning" : "error", place: Place($0.place), key: $0.key, what: $0.what,
                why: $0.why, remedy: $0.remedy)
        }
        self.lines =
            effective.settings.enumerated().map { [settings] index, setting in
                let row = settings[index]
                let source =
                    effective.values[setting.flag]?.place.source ?? row.place.variable.map { "environment \($0)" }
                return "\(row.key): \(row.value ?? setting.otherwise ?? "none")  (\(source ?? "default"))"
            } + check.mistakes.map { "\n\($0)" } + [
                check.mistakes.isEmpty ? "\nNothing is wrong." : "\n\(check.mistakes.count) to mend."
            ]
    }

    var text: String { self.lines.joined(separator: "\n") + "\n" }

    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
            return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
        }
    }
}

extension SettingPlace {
    fileprivate var kind: String {
        switch self {
        case .file: "file"
        case .flag: "flag"
        case .variable: "environment"
        case .fallback: "default"
        }
    }
}
