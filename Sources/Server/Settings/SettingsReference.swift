/// The tables of docs/configuration.md, which a test holds against it.
enum SettingsReference {
    static var text: String {
        Setting.Section.allCases.map { section in
            let rows = SettingsTable.all.filter { $0.section == section }.map(self.row)
            return (["### \(section.rawValue)", "", self.header, "|---|---|---|---|---|---|"] + rows)
                .joined(separator: "\n") + "\n"
        }.joined(separator: "\n")
    }

    private static let header = "| key | flag and variable | takes | default | at SIGHUP | meaning |"

    private static func row(_ setting: Setting) -> String {
        let values = setting.fallback.map { "`\($0)`" }.joined(separator: ", ")
        let ofDevelopment = setting.developmentFallback.map { "; with `dev` `\($0.joined(separator: ", "))`" } ?? ""
        let fallback = setting.fallback.isEmpty ? setting.otherwise ?? "none" : values + ofDevelopment
        let takes = (setting.isList ? "a list: " : "") + setting.kind.range
        return "| `\(setting.key)` | `--\(setting.flag)` `\(setting.variable)` | \(takes) | \(fallback) | "
            + "\(setting.isReloaded ? "applied" : "restart") | \(setting.summary) |"
    }
}
