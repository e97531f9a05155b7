/// What a command line says of settings. It leaves the judgement of what it does not know to others.
struct CommandLineSettings {
    /// By flag, in their order.
    private(set) var values: [String: [String]] = [:]
    /// The file that is named, by the last ``SettingsTable/fileFlag``.
    private(set) var file: String?
    /// Words that are no setting's, and flags that have no value where they need one.
    private(set) var unknown: [String] = []
    private(set) var lacking: [String] = []

    /// - Parameter arguments: behind the name of the command.
    init(_ arguments: [String]) {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if word == "-p" {
                self.take("port", nil, &rest)
            } else if word.hasPrefix("-p=") {
                self.take("port", String(word.dropFirst(3)), &rest)
            } else if word.hasPrefix("--"), word.count > 2 {
                let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                self.take(String(parts[0]), parts.count > 1 ? String(parts[1]) : nil, &rest)
            } else {
                self.unknown.append(word)
            }
        }
    }

    private mutating func take(_ flag: String, _ attached: String?, _ rest: inout ArraySlice<String>) {
        let setting = SettingsTable.byFlag[flag]
        guard setting != nil || flag == SettingsTable.fileFlag || flag == "test-formats" else {
            if !SettingsTable.otherFlags.contains(flag) { self.unknown.append("--" + flag) }
            return
        }
        if setting?.kind == .toggle {
            self.values[flag] = ["true"]
            return
        }
        guard let value = attached ?? Self.next(&rest) else {
            self.lacking.append(flag)
            return
        }
        if flag == SettingsTable.fileFlag {
            self.file = value
        } else if let setting {
            if setting.isList { self.values[flag, default: []].append(value) } else { self.values[flag] = [value] }
        }
    }

    /// As the command line is read: what begins with a dash is a flag.
    private static func next(_ rest: inout ArraySlice<String>) -> String? {
        guard let word = rest.first, !word.hasPrefix("-") || word == "-" else { return nil }
        return rest.popFirst()
    }
}
