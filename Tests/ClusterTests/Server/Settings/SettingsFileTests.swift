import Testing

@testable import Server

@Suite struct SettingsFileTests {
    private static func lines(_ text: String) -> [String] {
        SettingsFile(path: "f", text: text).mistakes.map(\.description)
    }

    @Test("Keys that are there more than twice are all named, and other mistakes with them")
    func duplicates() {
        let found = Self.lines("log:\n  level: info\n  'level': info\n  \"level\": info\nlisten:\n  prt: 1\n  prt: 2\n")
        #expect(found.count == 4)
        #expect(found.contains { $0.hasPrefix("f:3:3: log.level: it is there twice, first in line 2.") })
        #expect(found.contains { $0.hasPrefix("f:4:3: log.level: it is there twice, first in line 3.") })
        #expect(found.contains { $0.hasPrefix("f:7:3: listen.prt: it is there twice, first in line 6.") })
        #expect(found.contains { $0.hasPrefix("f:7:3: listen.prt is unknown") })
    }

    @Test(
        "What is no configuration is refused with its place",
        arguments: [
            ("- a\n", "f:1:1: this is no configuration"), ("listen: 3\n", "f:1:9: listen has no keys"),
            ("listen:\n  port:\n", "f:2:"), ("? [a]\n: b\n", "f:1:3: a key is no text"),
            ("listen:\n  port: *nobody\n", "f:2:9: this is no YAML"), ("a: [\n", "f:2:1: this is no YAML"),
            ("{}\n---\n{}\n", "f:2:1: this is no YAML"), ("listen:\n\tport: 1\n", "f:2:1: this is no YAML"),
            ("<<: { listen: { port: 1 } }\n", "f:1:1: << is unknown"),
        ])
    func refused(text: String, beginning: String) {
        let found = Self.lines(text)
        #expect(found.contains { $0.hasPrefix(beginning) }, "\(found)")
    }

    @Test(
        "An empty file, and one whose sections are empty, are in order",
        arguments: ["", "# only this\n", "listen:\nlog: {}\n", "---\n"])
    func empty(text: String) {
        let file = SettingsFile(path: "f", text: text)
        #expect(file.mistakes.isEmpty && file.entries.isEmpty)
    }

    @Test("One that is nested a thousand times deep is refused and crashes nothing")
    func deep() {
        #expect(!Self.lines(String(repeating: "[", count: 100_000)).isEmpty)
        #expect(!Self.lines(String(repeating: "a: {", count: 100_000)).isEmpty)
    }

    @Test("Texts are quoted in a printed file where they would be read as something else")
    func quoting() {
        for text in [
            "null", "~", "a: b", "-", "", "*", "x #y", "\"", "\\", "::1/128", "{a}", "a:", "true", "1.50", "/a b",
        ] {
            let file = SettingsFile(path: "f", text: "node:\n  name: \(PrintedConfiguration.scalar(text))\n")
            #expect(file.mistakes.isEmpty && file.entries.first?.texts.map(\.text) == [text], "\(text)")
        }
    }
}
