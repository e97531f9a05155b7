import Foundation

/// One row of the table of settings: everything that a setting is called, what it takes, and what counts without it.
///
/// The rule of names, from which nothing is excepted but what ``leaf`` says: a key is its section and the flag without the
/// section's name (`--ping-interval` is `ping.interval`, `--max-payload` is `limits.max-payload`); a variable is the flag in
/// capitals behind `SUBMERGENCE_` (`SUBMERGENCE_PING_INTERVAL`).
struct Setting: Sendable {
    /// The sections of a file, in the order in which they are printed.
    enum Section: String, Sendable, CaseIterable {
        case node, listen, control, mongodb, outbox, session, token, transport, ping, limits, presence, webhook,
            outbound, ice, trace
        case log
    }

    let section: Section
    /// Without its dashes.
    let flag: String
    let kind: SettingKind
    /// What counts where nothing is set, as text; nil where there is nothing, or ``otherwise`` says what.
    var fallback: [String] = []
    /// The same in development mode, where that differs.
    var developmentFallback: [String]?
    /// What counts without a value where that is no value: in words.
    var otherwise: String?
    /// The last part of the key, where it is not the flag without its section.
    var leaf: String?
    var isList = false
    /// Whether SIGHUP applies a new value; else it needs a restart.
    var isReloaded = false
    /// One line for the reference.
    let summary: String

    var key: String { "\(self.section.rawValue).\(self.name)" }

    /// The key without its section.
    var name: String {
        if let leaf = self.leaf { return leaf }
        let prefix = self.section.rawValue + "-"
        return self.flag.hasPrefix(prefix) ? String(self.flag.dropFirst(prefix.count)) : self.flag
    }

    var variable: String {
        SettingsTable.variablePrefix + self.flag.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// Whether it may hold a secret: then it is not printed.
    var isSecret: Bool { self.kind == .connection }

    /// As it may be shown.
    func shown(_ arguments: [String]) -> String {
        let texts = arguments.map { self.isSecret && ConnectionSecret.isIn($0) ? "<hidden>" : self.kind.text(of: $0) }
        return self.isList ? "[\(texts.joined(separator: ", "))]" : texts.last ?? ""
    }
}

/// Finds passwords in connection strings.
enum ConnectionSecret {
    /// Whether there is a password in the part that names the user. A text that is no address counts: nobody knows what it is.
    static func isIn(_ text: String) -> Bool {
        guard let scheme = text.range(of: "://") else { return true }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        return authority.contains("@") || rest.lowercased().contains("password")
    }
}
