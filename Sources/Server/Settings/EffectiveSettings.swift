import Foundation

/// Every setting with what counts of it and where that comes from: flags win over the environment, the environment over the file,
/// the file over defaults. A list of one source replaces that of another.
struct EffectiveSettings {
    struct Value: Equatable {
        /// As the flag takes them.
        var arguments: [String]
        var place: SettingPlace
        /// Of the parts of a list in a file.
        var places: [SettingPlace] = []
    }

    let settings: [Setting]
    /// By flag. Without those that nobody has set.
    private(set) var values: [String: Value] = [:]
    private(set) var mistakes: [SettingMistake] = []
    /// The file that was read, as it was named.
    private(set) var file: String?
    /// Whether there is a file that cannot be read at all: then nobody knows what is set.
    private(set) var isFileBroken = false
    /// Settings of a relation that does not hold, by flag: nothing more can be said of them.
    private var withheld: Set<String> = []
    /// Variables of secrets that are set.
    private(set) var secrets: [String] = []

    /// - Parameters:
    ///   - command: whose flags count; values of other settings are looked at all the same.
    ///   - arguments: behind the name of the command.
    init(command: String, arguments: [String], environment: [String: String]) {
        self.settings = SettingsTable.settings(of: command)
        let line = CommandLineSettings(arguments)
        self.file = line.file ?? environment[SettingsTable.fileVariable]
        if let file = self.file { self.take(SettingsFile(path: file), at: file) }
        self.take(environment)
        self.take(line)
        self.relate()
        self.mistakes.sort { Self.order($0.place) < Self.order($1.place) }
    }

    /// For the command line's parser: what the environment and the file say, which the command line itself comes behind.
    var inserted: [String] {
        self.settings.flatMap { setting -> [String] in
            guard let value = self.values[setting.flag], !value.isFromFlag else { return [] }
            return Self.words(setting, value.arguments)
        }
    }

    /// For the command line's parser: everything that is set, and can be taken.
    var arguments: [String] {
        self.settings.flatMap { setting -> [String] in
            guard let value = self.values[setting.flag], !self.withheld.contains(setting.flag),
                !self.isMistaken(setting.flag)
            else { return [] }
            return Self.words(setting, value.arguments)
        }
    }

    mutating func add(_ mistakes: [SettingMistake]) {
        self.mistakes += mistakes
        self.mistakes.sort { Self.order($0.place) < Self.order($1.place) }
    }

    /// Whether a value is meant for that setting that cannot be taken.
    func isMistaken(_ flag: String) -> Bool {
        guard let setting = SettingsTable.byFlag[flag] else { return false }
        return self.mistakes.contains { !$0.isWarning && $0.key == setting.key }
    }

    static func words(_ setting: Setting, _ arguments: [String]) -> [String] {
        if setting.kind == .toggle { return arguments.last == "true" ? ["--" + setting.flag] : [] }
        return arguments.map { "--\(setting.flag)=\($0)" }
    }

    // MARK: Sources

    private mutating func take(_ file: SettingsFile, at path: String) {
        self.mistakes += file.mistakes
        self.isFileBroken = file.isBroken
        for entry in file.entries {
            var value = Value(arguments: [], place: entry.place)
            for (text, place) in entry.texts {
                guard let argument = self.argument(text, entry.setting, place) else { continue }
                value.arguments.append(entry.setting.kind.isPath ? Self.resolve(argument, besides: path) : argument)
                value.places.append(place)
            }
            // An empty list is one: it takes the place of the default.
            if entry.texts.isEmpty || !value.arguments.isEmpty { self.values[entry.setting.flag] = value }
        }
    }

    private mutating func take(_ environment: [String: String]) {
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix(SettingsTable.variablePrefix) && name != SettingsTable.fileVariable {
            if SettingsTable.otherVariables.contains(name) { continue }
            if SettingsTable.secretVariables[name] != nil {
                self.secrets.append(name)
                continue
            }
            let place = SettingPlace.variable(name)
            guard let setting = SettingsTable.byVariable[name] else {
                let known =
                    SettingsTable.byVariable.keys.sorted() + SettingsTable.secretVariables.keys
                    + [SettingsTable.fileVariable]
                self.mistakes.append(
                    SettingMistake(
                        place: place, what: "\(name) is unknown", why: "no setting is called so",
                        remedy: NearestName.of(name, in: known).map { "Did you mean \($0)?" } ?? "Unset it."))
                continue
            }
            let texts = setting.isList ? text.split(whereSeparator: \.isWhitespace).map(String.init) : [text]
            let arguments = (texts.isEmpty ? [""] : texts).compactMap { self.argument($0, setting, place) }
            guard !arguments.isEmpty else { continue }
            self.values[setting.flag] = Value(
                arguments: arguments, place: place, places: arguments.map { _ in place })
        }
    }

    private mutating func take(_ line: CommandLineSettings) {
        for word in line.unknown {
            let known = SettingsTable.byFlag.keys.sorted().map { "--" + $0 }
            let nearest = word.hasPrefix("-") ? NearestName.of(word, in: known) : nil
            self.mistakes.append(
                SettingMistake(
                    place: word.hasPrefix("--") ? .flag(String(word.dropFirst(2))) : .flag(word),
                    what: "\(word) is unknown", why: "there is no such flag",
                    remedy: nearest.map { "Did you mean \($0)?" } ?? "`submergence serve --help` has all flags."))
        }
        for flag in line.lacking {
            self.mistakes.append(
                SettingMistake(
                    place: .flag(flag), key: SettingsTable.byFlag[flag]?.key, what: "--\(flag) has no value",
                    why: "nothing, or another flag, comes behind it",
                    remedy: SettingsTable.byFlag[flag].map { "Write \($0.kind.range)." } ?? "Name a file."))
        }
        for (flag, arguments) in line.values.sorted(by: { $0.key < $1.key }) {
            guard let setting = SettingsTable.byFlag[flag] else { continue }
            let place = SettingPlace.flag(flag)
            var isGood = true
            for argument in arguments {
                do throws(SettingComplaint) {
                    try setting.kind.check(argument)
                } catch {
                    isGood = false
                    self.mistakes.append(Self.mistake(argument, setting, place, error))
                }
            }
            guard isGood else { continue }
            self.values[flag] = Value(arguments: arguments, place: place, places: arguments.map { _ in place })
        }
    }

    private mutating func argument(_ text: String, _ setting: Setting, _ place: SettingPlace) -> String? {
        if case .file = place, let complaint = Self.inlineSecret(text, setting) {
            self.mistakes.append(
                SettingMistake(
                    place: place, key: setting.key, what: setting.key, why: complaint.why, remedy: complaint.remedy))
            return nil
        }
        do throws(SettingComplaint) {
            return try setting.kind.argument(for: text)
        } catch {
            self.mistakes.append(Self.mistake(text, setting, place, error))
            return nil
        }
    }

    /// OP-1: secrets come from the environment or from files of their own.
    private static func inlineSecret(_ text: String, _ setting: Setting) -> SettingComplaint? {
        if setting.kind == .connection, text.contains("://"), ConnectionSecret.isIn(text) {
            return SettingComplaint(
                why: "a password must not stand in this file",
                remedy:
                    "Put the connection string into a file of mode 0600 and name that with \(setting.key)-file, or set "
                    + "\(setting.variable).")
        }
        // A key of 32 bytes has 43 letters; names of files that long have dots, slashes or words.
        if setting.kind == .path, text.utf8.count >= 43,
            text.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" || $0 == "=" })
        {
            return SettingComplaint(
                why: "this looks like a secret, and takes the name of a file",
                remedy: "Put it into a file of mode 0600, and write the name of that here.")
        }
        return nil
    }

    private static func mistake(
        _ text: String, _ setting: Setting, _ place: SettingPlace, _ complaint: SettingComplaint
    ) -> SettingMistake {
        let shown = setting.isSecret || text.isEmpty ? "" : " is \"\(text.prefix(80))\""
        return SettingMistake(
            place: place, key: setting.key, what: setting.key + shown, why: complaint.why, remedy: complaint.remedy)
    }

    private static func resolve(_ argument: String, besides file: String) -> String {
        guard !argument.hasPrefix("/"), !argument.contains("://") else { return argument }
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        return folder.appendingPathComponent(argument).standardizedFileURL.path
    }

    // MARK: Relations of names

    private mutating func relate() {
        for group in SettingsTable.together {
            let present = group.filter { self.values[$0] != nil || self.isMistaken($0) }
            guard let first = present.first, present.count < group.count else { continue }
            self.withheld.formUnion(present)
            let missing = group.filter { !present.contains($0) }.compactMap { SettingsTable.byFlag[$0]?.key }
            self.complain(
                first, "it is of no use without \(missing.joined(separator: " and "))", "Set all of them, or none.")
        }
        for pair in SettingsTable.exclusive {
            guard let first = self.values[pair[0]], let second = self.values[pair[1]],
                let other = SettingsTable.byFlag[pair[0]]?.key
            else { continue }
            // One that wins over the file takes the place of its counterpart there.
            if Self.rank(first.place) != Self.rank(second.place) {
                self.values[Self.rank(first.place) > Self.rank(second.place) ? pair[1] : pair[0]] = nil
            } else {
                self.complain(pair[1], "\(other) is set as well", "Keep one of the two.")
            }
        }
    }

    private mutating func complain(_ flag: String, _ why: String, _ remedy: String) {
        guard let setting = SettingsTable.byFlag[flag] else { return }
        self.mistakes.append(
            SettingMistake(
                place: self.values[flag]?.place ?? .fallback, key: setting.key, what: setting.key, why: why,
                remedy: remedy))
    }

    private static func rank(_ place: SettingPlace) -> Int {
        switch place {
        case .fallback: 0
        case .file: 1
        case .variable: 2
        case .flag: 3
        }
    }

    private static func order(_ place: SettingPlace) -> (Int, Int, Int, String) {
        if case .file(_, let line, let column) = place { return (1, line, column, "") }
        return (self.rank(place), 0, 0, place.text)
    }
}

extension EffectiveSettings.Value {
    var isFromFlag: Bool {
        if case .flag = self.place { return true }
        return false
    }
}
