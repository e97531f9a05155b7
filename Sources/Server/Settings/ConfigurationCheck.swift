import ArgumentParser
import Node

/// Looks for everything that cannot work in what is set: beyond single values what they mean together, and what is in the files
/// that they name.
struct ConfigurationCheck {
    let effective: EffectiveSettings
    let mistakes: [SettingMistake]

    init(_ effective: EffectiveSettings) {
        var effective = effective
        effective.add(Self.textMistakes(effective))
        if !effective.isFileBroken { effective.add(Self.mistakesTogether(effective)) }
        self.effective = effective
        self.mistakes = effective.mistakes
    }

    /// Texts that the options themselves judge, one at a time: all that are wrong are named.
    private static func textMistakes(_ effective: EffectiveSettings) -> [SettingMistake] {
        effective.settings.filter { self.judged.contains($0.flag) }.flatMap { setting -> [SettingMistake] in
            guard let value = effective.values[setting.flag] else { return [] }
            return zip(value.arguments, value.places).compactMap { argument, place in
                var words: [String] =
                    switch setting.flag {
                    case "domain": []
                    case "alias": argument.split(separator: "=").last.map { ["--domain=\($0)"] } ?? []
                    default: ["--domain=check.example"]
                    }
                words += ["--signing-keys=none", "--\(setting.flag)=\(argument)"]
                if setting.flag == "database" || setting.flag == "collection-prefix" {
                    words.append("--mongodb=mongodb://check")
                }
                // Of no use without each other.
                if setting.flag == "turn-url" { words.append("--turn-secret-file=none") }
                guard let complaint = Self.complaints(words, readingFiles: false).first else { return nil }
                return SettingMistake(
                    place: place, key: setting.key, what: "\(setting.key) is \"\(argument.prefix(80))\"",
                    why: complaint.why, remedy: complaint.remedy)
            }
        }
    }

    private static let judged: Set<String> = [
        "domain", "alias", "trusted-proxy", "database", "collection-prefix", "path", "cookie", "session-label",
        "cors-origin",
        "ice-server", "turn-url",
    ]

    /// What the mode asks for: nothing is known of it where the mode is not.
    private static let ofMode: Set<String> = ["host", "control-host", "domain", "signing-keys"]

    private static func mistakesTogether(_ effective: EffectiveSettings) -> [SettingMistake] {
        self.complaints(effective.arguments, readingFiles: true).compactMap { complaint in
            // What was said of one of them is enough.
            guard !complaint.about.contains(where: effective.isMistaken),
                !effective.isMistaken("dev") || self.ofMode.isDisjoint(with: complaint.about)
            else { return nil }
            let flag = complaint.about.first { effective.values[$0] != nil }
            let setting = (flag ?? complaint.about.first).flatMap { SettingsTable.byFlag[$0] }
            let place = flag.flatMap { effective.values[$0]?.place }
            return SettingMistake(
                place: place ?? effective.file.map { .file($0, line: 1, column: 1) } ?? .fallback, key: setting?.key,
                what: (setting.map { "\($0.key): " } ?? "") + complaint.what, why: complaint.why,
                remedy: complaint.remedy)
        }
    }

    private static func complaints(_ words: [String], readingFiles: Bool) -> [StartError] {
        do {
            let serve = try Serve.parse(words)
            do {
                return try serve.settings(readingFiles: readingFiles).complaints(readingFiles: readingFiles)
            } catch {
                let rest = try serve.settings(readingFiles: false).complaints(readingFiles: readingFiles)
                return [
                    StartError(
                        "cannot use \(error.path)", why: error.why, remedy: error.remedy, about: [error.flag])
                ] + rest
            }
        } catch {
            // The parser knows relations of its own.
            return [StartError("the settings do not go together", why: Serve.message(for: error), remedy: "Mend them.")]
        }
    }
}
