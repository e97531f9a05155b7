import Foundation
import Testing

@testable import Server

@Suite struct EffectiveSettingsTests {
    private static func effective(
        _ arguments: [String], _ environment: [String: String] = [:], command: String = "serve"
    ) -> EffectiveSettings {
        EffectiveSettings(command: command, arguments: arguments, environment: environment)
    }

    @Test("What the command line says is not inserted again; what others say comes before it")
    func inserted() {
        let found = Self.effective(
            ["--port", "1", "-p", "2", "--domain=a"],
            [
                "SUBMERGENCE_PORT": "3", "SUBMERGENCE_PING_INTERVAL": "2s", "SUBMERGENCE_DEV": "false",
                "SUBMERGENCE_DOMAIN": "b c",
            ])
        #expect(found.mistakes.isEmpty)
        #expect(found.inserted == ["--ping-interval=2000"])
        #expect(found.values["port"]?.arguments == ["2"])
        #expect(found.values["domain"]?.arguments == ["a"])
    }

    @Test("Commands that share MongoDB's settings take those, and look at all")
    func shared() {
        let environment = ["SUBMERGENCE_DATABASE": "d", "SUBMERGENCE_PORT": "x", "SUBMERGENCE_HOST": "h"]
        let found = Self.effective([], environment, command: "init-db")
        #expect(found.inserted == ["--database=d"])
        #expect(found.mistakes.map(\.place) == [.variable("SUBMERGENCE_PORT")])
    }

    @Test("Unknown variables are mistakes; those of other programs of this project are none")
    func variables() {
        let found = Self.effective(
            [], ["SUBMERGENCE_PROT": "1", "SUBMERGENCE_BIN": "x", "SUBMERGENCE_KEY": "sesame", "HOME": "/"])
        #expect(found.mistakes.map(\.remedy) == ["Did you mean SUBMERGENCE_PORT?"])
    }

    @Test("A value that may be secret is in no message")
    func secrets() {
        let found = Self.effective(["--mongodb", "sesame"], ["SUBMERGENCE_BUS_URI": "sesame://sesame"])
        #expect(found.mistakes.count == 2)
        #expect(!found.mistakes.description.contains("sesame"))
    }

    @Test("A connection string and the file of one: the higher source wins, of the same source both are a mistake")
    func exclusive() {
        let high = Self.effective(["--mongodb-uri-file", "f"], ["SUBMERGENCE_MONGODB": "mongodb://x"])
        #expect(high.mistakes.isEmpty && high.values["mongodb"] == nil && high.arguments == ["--mongodb-uri-file=f"])
        let same = Self.effective(["--mongodb-uri-file", "f", "--mongodb", "mongodb://x"])
        #expect(same.mistakes.map(\.key) == ["mongodb.uri-file"])
    }

    @Test("Flags that there are not, and flags without a value, are named")
    func flags() {
        let found = Self.effective(["--prot", "1", "--host", "--dev", "--config"], command: "check")
        let told = found.mistakes.map(\.description)
        #expect(told.contains { $0.contains("--prot is unknown") && $0.contains("Did you mean --port?") })
        #expect(told.contains { $0.contains("--host has no value") })
        #expect(told.contains { $0.contains("--config has no value") })
        #expect(found.values["dev"]?.arguments == ["true"])
    }

    @Test("Files in a file are relative to its folder, on the command line and in the environment to nothing")
    func paths() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "c.yaml")
        try "token: { keys: ../k }\nlog: { presence: here }\ncontrol: { keys: /abs }\n".write(
            to: file, atomically: true, encoding: .utf8)
        let found = Self.effective(
            ["--config", file.path, "--signing-keys", "s"],
            ["SUBMERGENCE_TOKEN_ISSUER": "i", "SUBMERGENCE_TOKEN_AUDIENCE": "a"])
        #expect(found.mistakes.isEmpty)
        let base = folder.standardizedFileURL
        #expect(found.values["log-presence"]?.arguments == [base.appending(path: "here").path])
        #expect(found.values["token-keys"]?.arguments == [base.deletingLastPathComponent().appending(path: "k").path])
        #expect(found.values["control-keys"]?.arguments == ["/abs"])
        #expect(found.values["signing-keys"]?.arguments == ["s"])
    }
}
