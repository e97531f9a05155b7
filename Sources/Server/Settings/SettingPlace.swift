/// Where a value, or a mistake, comes from.
enum SettingPlace: Sendable, Hashable {
    /// Line and column begin with 1; columns count Unicode scalars.
    case file(String, line: Int, column: Int)
    case flag(String)
    case variable(String)
    case fallback

    /// As people and editors read it.
    var text: String {
        switch self {
        case .file(let path, let line, let column): "\(path):\(line):\(column)"
        case .flag(let flag): "--\(flag)"
        case .variable(let name): "environment \(name)"
        case .fallback: "default"
        }
    }

    /// The place of a value, without the column that only a mistake needs.
    var source: String {
        if case .file(let path, let line, _) = self { return "\(path):\(line)" }
        return self.text
    }
}

/// What is wrong, where, why, and what to do. Holds no value of a setting that may be secret.
struct SettingMistake: Sendable, Equatable, CustomStringConvertible {
    let place: SettingPlace
    /// The setting's key, if it is one setting's.
    var key: String?
    let what: String
    let why: String
    let remedy: String
    /// Something that works, and that nobody should want.
    var isWarning = false

    var description: String {
        let place = self.place == .fallback ? "" : "\(self.place.text): "
        return "\(place)\(self.isWarning ? "warning: " : "")\(self.what): \(self.why). \(self.remedy)"
    }
}
