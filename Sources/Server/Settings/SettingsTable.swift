/// Every setting of `serve`: the only place that says what they are called. Flags, keys, variables, the reference
/// (docs/configuration.md) and the example are held against it by tests.
enum SettingsTable {
    static let variablePrefix = "SUBMERGENCE_"
    /// The variable that names the file.
    static let fileVariable = "SUBMERGENCE_CONFIG"
    /// The flag that does.
    static let fileFlag = "config"

    /// Flags of `serve` that are no settings.
    static let otherFlags: Set<String> = [fileFlag, "print-config", "test-formats", "help", "version"]

    /// Secrets that stand in the environment only, by the setting that names their file.
    static let secretVariables = [
        "SUBMERGENCE_TURN_SECRET": "turn-secret-file", "SUBMERGENCE_WEBHOOK_SECRET": "webhook-secret-file",
    ]

    /// Variables of this name that are others': of the commands that ask a node, of this project's own tests and scripts.
    static let otherVariables: Set<String> = [
        "SUBMERGENCE_KEY", "SUBMERGENCE_BIN", "SUBMERGENCE_BROWSER", "SUBMERGENCE_SCREENSHOTS", "SUBMERGENCE_HIDDEN",
        "SUBMERGENCE_LINK_CYCLES", "SUBMERGENCE_SEED", "SUBMERGENCE_SEEDS", "SUBMERGENCE_MEASURE",
        "SUBMERGENCE_TEST_MONGODB_REPLSET", "SUBMERGENCE_TEST_MONGODB_SHARDED",
    ]

    /// Keys that somebody will try who has a secret at hand, and what to do in place of it.
    static let inlineSecrets = [
        "ice.turn-secret": "ice.turn-secret-file, or set SUBMERGENCE_TURN_SECRET",
        "webhook.secret": "webhook.secret-file, or set SUBMERGENCE_WEBHOOK_SECRET",
        "session.signing-key": "session.signing-keys",
        "control.key": "control.keys, as `submergence keys` makes it",
        "mongodb.password": "mongodb.uri-file, or set SUBMERGENCE_MONGODB",
    ]

    /// Settings that are of no use without each other.
    static let together = [["token-issuer", "token-audience", "token-keys"]]

    /// Of which one at most may be set.
    static let exclusive = [["mongodb", "mongodb-uri-file"], ["bus-uri", "bus-uri-file"]]

    static let all: [Setting] = Self.addresses + Self.database + Self.identity + Self.connections + Self.others

    static let byFlag = Dictionary(uniqueKeysWithValues: Self.all.map { ($0.flag, $0) })
    static let byKey = Dictionary(uniqueKeysWithValues: Self.all.map { ($0.key, $0) })
    static let byVariable = Dictionary(uniqueKeysWithValues: Self.all.map { ($0.variable, $0) })

    /// The settings that a command other than `serve` shares with it.
    static func settings(of command: String) -> [Setting] {
        switch command {
        case "serve", "check": self.all
        case "init-db": self.all.filter { $0.section == .mongodb }
        case "why": self.all.filter { $0.section == .mongodb }
        default: []
        }
    }

    /// - Parameter seconds: the range.
    static func seconds(_ seconds: ClosedRange<Double>, isWhole: Bool = false) -> SettingKind {
        .duration(DurationKind(unit: 1, seconds: seconds, isWhole: isWhole))
    }

    /// - Parameter seconds: the range.
    static func milliseconds(_ seconds: ClosedRange<Double>) -> SettingKind {
        .duration(DurationKind(unit: 0.001, seconds: seconds, isWhole: true))
    }

    static let day = 86_400.0
    static let tenYears = 10 * 365 * day
}
