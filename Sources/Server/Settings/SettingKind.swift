/// What a setting takes: how it is written in a file or a variable, and what its flag makes of it.
///
/// Two forms of a value: the *text* that people write, with units (`10s`, `256MiB`), and the *argument* that the flag takes, a
/// bare number in the flag's unit.
enum SettingKind: Sendable, Equatable {
    /// `true` or `false`; the flag has no value.
    case toggle
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case duration(DurationKind)
    case size(SizeKind)
    case choice([String])
    case text
    /// A file that is read; in a configuration file relative to the folder of that.
    case path
    /// A file that is written, likewise.
    case output
    /// A file or an address.
    case pathOrURL
    /// A connection string of MongoDB, which may hold a password.
    case connection
}

/// Why a value cannot be taken. Never names the value: it may be a secret.
struct SettingComplaint: Error, Equatable {
    let why: String
    let remedy: String
}

extension SettingKind {
    /// - Returns: what the flag takes.
    func argument(for text: String) throws(SettingComplaint) -> String {
        guard !text.isEmpty else {
            throw SettingComplaint(why: "it is empty", remedy: "Give it a value, or leave it out.")
        }
        switch self {
        case .duration(let kind): return try kind.argument(for: text)
        case .size(let kind): return try kind.argument(for: text)
        case .toggle, .integer, .number, .choice, .text, .path, .output, .pathOrURL, .connection:
            try self.check(text)
            return text
        }
    }

    /// Looks at what a flag was given.
    func check(_ argument: String) throws(SettingComplaint) {
        switch self {
        case .toggle:
            guard argument == "true" || argument == "false" else {
                throw SettingComplaint(why: "it is neither true nor false", remedy: "Write true or false.")
            }
        case .integer(let range):
            guard let value = Int(argument) else { throw self.wrongType("no whole number") }
            guard range.contains(value) else { throw self.outOfRange }
        case .number(let range):
            guard let value = Double(argument), value.isFinite else { throw self.wrongType("no number") }
            guard range.contains(value) else { throw self.outOfRange }
        case .duration(let kind): try kind.check(argument)
        case .size(let kind): try kind.check(argument)
        case .choice(let words):
            guard words.contains(argument) else {
                let nearest = NearestName.of(argument, in: words).map { " Did you mean \($0)?" } ?? ""
                throw SettingComplaint(
                    why: "it is none of the known words",
                    remedy: "Write one of: \(words.joined(separator: ", ")).\(nearest)")
            }
        case .text, .path, .output, .pathOrURL:
            guard !argument.isEmpty, argument.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
                throw SettingComplaint(
                    why: "it is empty or has control characters", remedy: "Write one line of plain text.")
            }
        case .connection:
            guard argument.hasPrefix("mongodb://") || argument.hasPrefix("mongodb+srv://") else {
                throw SettingComplaint(
                    why: "it is no connection string of MongoDB", remedy: "Begin it with mongodb:// or mongodb+srv://.")
            }
        }
    }

    /// What the flag takes, as people write it.
    func text(of argument: String) -> String {
        switch self {
        case .duration(let kind): kind.text(of: argument)
        case .size(let kind): kind.text(of: argument)
        case .toggle, .integer, .number, .choice, .text, .path, .output, .pathOrURL, .connection: argument
        }
    }

    /// What it takes, in words: for messages and for the reference.
    var range: String {
        switch self {
        case .toggle: "true or false"
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "\(Self.plain(range.lowerBound)) to \(Self.plain(range.upperBound))"
        case .duration(let kind): kind.range
        case .size(let kind): kind.range
        case .choice(let words): words.joined(separator: ", ")
        case .text: "text"
        case .path: "a file that can be read"
        case .output: "a file that can be written"
        case .pathOrURL: "a file, or an https address"
        case .connection: "mongodb://… or mongodb+srv://…"
        }
    }

    var isPath: Bool { self == .path || self == .output || self == .pathOrURL }

    private func wrongType(_ what: String) -> SettingComplaint {
        SettingComplaint(why: "it is \(what)", remedy: "Write \(self.range).")
    }

    private var outOfRange: SettingComplaint {
        SettingComplaint(why: "it is out of range", remedy: "Write \(self.range).")
    }

    /// Without a fraction where there is none.
    static func plain(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
    }
}
