import ArgumentParser
import Foundation
import Node
import Testing

@testable import Server

/// OP-1: flags, keys, variables, defaults, ranges, the reference and the example are one table.
@Suite struct SettingsTableTests {
    /// The long names of the options of `serve`, hidden ones too, as the parser knows them.
    private static func flags() throws -> Set<String> {
        let dump = try JSONSerialization.jsonObject(with: Data(Serve._dumpHelp().utf8)) as? [String: Any]
        let command = try #require(dump?["command"] as? [String: Any])
        let arguments = try #require(command["arguments"] as? [[String: Any]])
        let names = arguments.flatMap { $0["names"] as? [[String: Any]] ?? [] }
        return Set(names.filter { $0["kind"] as? String == "long" }.compactMap { $0["name"] as? String })
    }

    private static func page(_ name: String) throws -> String {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../../docs/\(name)")
        return try String(contentsOf: page.standardized, encoding: .utf8)
    }

    /// Everything in it, in an order of its own: sets have none.
    private static func configuration(_ words: [String]) throws -> [Substring] {
        var text = ""
        dump(try Serve.parse(words).settings(readingFiles: false), to: &text)
        return text.split(separator: "\n").sorted()
    }

    @Test("Every flag of serve has a key and a variable, and no row is without its flag")
    func flags() throws {
        let known = Set(SettingsTable.all.map(\.flag)).union(SettingsTable.otherFlags)
        #expect(try Self.flags().union(["help", "version"]) == known)
        #expect(Set(SettingsTable.all.map(\.key)).count == SettingsTable.all.count)
        #expect(Set(SettingsTable.all.map(\.variable)).count == SettingsTable.all.count)
        #expect(SettingsTable.otherVariables.isDisjoint(with: SettingsTable.all.map(\.variable)))
        for setting in SettingsTable.all {
            let rest = setting.key.replacing("\(setting.section.rawValue).", with: "", maxReplacements: 1)
            #expect(setting.leaf != nil || setting.flag.hasSuffix(rest), "\(setting.key) follows the rule of names")
        }
        #expect(
            SettingsTable.all.filter { $0.leaf != nil }.map(\.key)
                == ["mongodb.uri", "outbox.serve", "webhook.target", "trace.share"])
    }

    @Test("The defaults of the table are those of the flags, each by itself")
    func defaults() throws {
        let mongo = ["--mongodb=mongodb://x"]
        let plain = try Self.configuration(mongo)
        for setting in SettingsTable.all where !setting.fallback.isEmpty && setting.kind != .toggle {
            let arguments = try setting.fallback.map { try setting.kind.argument(for: $0) }
            // Of what is left out elsewhere the default is nil here.
            let words = mongo + self.companions(setting.flag) + EffectiveSettings.words(setting, arguments)
            let base = try Self.configuration(mongo + self.companions(setting.flag))
            #expect(try Self.configuration(words) == base, "\(setting.key)")
            #expect(arguments.map { setting.kind.text(of: $0) } == setting.fallback, "\(setting.key) as it is printed")
        }
        #expect(plain.contains { $0.contains("submergence") })
    }

    /// What a flag is of no use without.
    private func companions(_ flag: String) -> [String] {
        if flag.hasPrefix("token-") { return ["--token-issuer=i", "--token-audience=a", "--token-keys=k"] }
        if flag.hasPrefix("outbox-") { return ["--outbox"] }
        if flag == "cors-credentials" { return ["--cors-origin=https://app.example"] }
        return flag.hasPrefix("webhook-") ? ["--webhook=https://backend.app.example/hooks"] : []
    }

    @Test(
        "Both ends of every range are taken by the flag and by the options behind it, and nothing beyond them by the table"
    )
    func ranges() throws {
        for setting in SettingsTable.all {
            let (ends, beyond) = Self.ends(setting.kind)
            for argument in ends {
                try setting.kind.check(argument)
                let words = ["--dev", "--mongodb=mongodb://x"] + self.companions(setting.flag)
                let serve = try Serve.parse(words + EffectiveSettings.words(setting, [argument]))
                let complaints = try serve.settings(readingFiles: false).complaints()
                // What is left are relations to other settings.
                let isRelated = ["session-renewal-timeout", "activity-resolution", "port", "control-port"].contains(
                    setting.flag)
                #expect(complaints.isEmpty || isRelated, "\(setting.key) \(argument) \(complaints)")
            }
            for argument in beyond {
                #expect(throws: SettingComplaint.self, "\(setting.key) \(argument)") {
                    try setting.kind.check(argument)
                }
            }
        }
    }

    private static func ends(_ kind: SettingKind) -> (within: [String], beyond: [String]) {
        func text(_ value: Double) -> String { SettingKind.plain(value) }
        switch kind {
        case .integer(let range):
            return ([range.lowerBound, range.upperBound].map { String($0) }, [String(range.upperBound + 1), "x", ""])
        case .number(let range): return ([text(range.lowerBound), text(range.upperBound)], ["-0.1", "1.1", "nan"])
        case .duration(let kind):
            let (low, high) = (kind.seconds.lowerBound / kind.unit, kind.seconds.upperBound / kind.unit)
            return ([text(low.rounded(toPlaces: 3)), text(high)], [text(high + 1), "-1", "x"])
        case .size(let kind):
            return (
                [kind.bytes.lowerBound, kind.bytes.upperBound].map { String($0 / kind.unit) },
                [String(kind.bytes.upperBound / kind.unit + 1), "0", "1.5"]
            )
        case .choice(let words): return (words, ["nothing-of-them"])
        case .toggle: return (["true"], ["yes"])
        case .text, .path, .output, .pathOrURL, .connection: return ([], [""])
        }
    }

    @Test("docs/configuration.md has the table as it is, and docs/operations.md leads there")
    func reference() throws {
        let page = try Self.page("configuration.md")
        #expect(page.contains(SettingsReference.text), "submergence check --reference prints what belongs there")
        for variable in SettingsTable.secretVariables.keys { #expect(page.contains(variable)) }
        #expect(try Self.page("operations.md").contains("configuration.md"))
    }

    @Test("The example has every key, and no other")
    func example() throws {
        var section = ""
        var keys: Set<String> = []
        for line in try Self.page("submergence.example.yaml").split(whereSeparator: \.isNewline) {
            if let match = line.wholeMatch(of: /#?([a-z]+):/) {
                section = String(match.1)
            } else if let match = line.prefixMatch(of: #/  #?([a-z-]+):/#) {
                keys.insert("\(section).\(match.1)")
            }
        }
        #expect(keys == Set(SettingsTable.all.map(\.key)))
    }
}

extension Double {
    fileprivate func rounded(toPlaces places: Int) -> Double {
        let factor = (0..<places).reduce(1.0) { product, _ in product * 10 }
        return (self * factor).rounded() / factor
    }
}
