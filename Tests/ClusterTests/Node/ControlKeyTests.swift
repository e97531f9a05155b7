import Foundation
import Logging
import Testing

@testable import Node

@Suite("RM-1: control keys")
struct ControlKeyTests {
    @Test("RM-1: a line has the hash and not the secret, and is read back")
    func line() throws {
        let (key, secret) = try #require(
            ControlKey.make(name: "backend", domain: "app.example", scopes: [.send, .presence]))
        #expect(secret.hasPrefix("smk_") && secret.utf8.count == 47)
        #expect(!key.line.contains(secret.dropFirst(4)))
        #expect(try ControlKey(line: key.line) == key)
        #expect(key.line.hasPrefix("backend app.example send,presence "))
        let (again, other) = try #require(ControlKey.make(name: "backend", domain: nil, scopes: [.send]))
        #expect(other != secret && again.line.hasPrefix("backend * send "))
    }

    @Test("RM-1: a key has a name and a scope", arguments: ["", "a b", "a/b", "é", String(repeating: "a", count: 65)])
    func names(name: String) {
        #expect(ControlKey.make(name: name, domain: nil, scopes: [.send]) == nil)
        #expect(ControlKey.make(name: "a", domain: nil, scopes: []) == nil)
    }

    @Test(
        "RM-1: a line that is none is named, with its number",
        arguments: [
            "backend * send", "backend * sned AAAA", "back/end * send AAAA", "backend * send AAAA", "a * send x y",
        ])
    func malformed(line: String) throws {
        let file = Self.file()
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data("# keys\n\n\(line)\n".utf8).write(to: URL(fileURLWithPath: file))
        #expect {
            try ControlKeyFile.load(file)
        } throws: { error in
            if case .line(3, path: file, _) = error as? ControlKeyError { true } else { false }
        }
    }

    @Test("RM-1: keys are added, found by their secret, and revoked")
    func file() throws {
        let file = Self.file()
        defer { try? FileManager.default.removeItem(atPath: file) }
        let (first, secret) = try #require(ControlKey.make(name: "first", domain: nil, scopes: [.send]))
        let (second, other) = try #require(ControlKey.make(name: "second", domain: "a.example", scopes: [.kick]))
        try ControlKeyFile.add(first, to: file)
        try ControlKeyFile.add(second, to: file)
        #expect(throws: ControlKeyError.repeatedName("first", path: file)) { try ControlKeyFile.add(first, to: file) }
        #expect(try ControlKeyFile.load(file) == [first, second])
        let ring = try ControlKeyring(path: file, isOpen: true, interval: .zero, logger: .init(label: "test"))
        #expect(ring.asksForKeys && ring.key(of: secret) == first && ring.key(of: other) == second)
        #expect(ring.key(of: secret + "x") == nil && ring.key(of: "") == nil)
        #expect(try ControlKeyFile.remove(named: "first", from: file))
        #expect(try !ControlKeyFile.remove(named: "first", from: file))
        try ring.reload()
        #expect(ring.key(of: secret) == nil && ring.key(of: other) == second)
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
    }

    @Test("RM-1: a file that breaks changes nothing")
    func broken() throws {
        let file = Self.file()
        defer { try? FileManager.default.removeItem(atPath: file) }
        let (key, secret) = try #require(ControlKey.make(name: "key", domain: nil, scopes: [.send]))
        try ControlKeyFile.add(key, to: file)
        let ring = try ControlKeyring(path: file, isOpen: false, interval: .zero, logger: .init(label: "test"))
        try Data("nonsense\n".utf8).write(to: URL(fileURLWithPath: file))
        #expect(throws: ControlKeyError.self) { try ring.reload() }
        #expect(ring.key(of: secret) == key)
    }

    @Test("DESIGN §9: without a file production lets nobody in, development everybody")
    func without() throws {
        let closed = try ControlKeyring(path: nil, isOpen: false, interval: .zero, logger: .init(label: "test"))
        let open = try ControlKeyring(path: nil, isOpen: true, interval: .zero, logger: .init(label: "test"))
        #expect(closed.asksForKeys && !open.asksForKeys)
        #expect(throws: ActionError(401, "KEY")) {
            _ = try ControlAccess(closed, sessions: DashboardSessions()).agent(
                authorization: ["Bearer smk_x"], address: "")
        }
        #expect(
            try ControlAccess(open, sessions: DashboardSessions()).agent(authorization: [], address: "").user
                == "development")
    }

    @Test("RM-1: a key is good for its scopes and its domain")
    func access() throws {
        let (key, secret) = try #require(ControlKey.make(name: "key", domain: "a.example", scopes: [.send]))
        let access = ControlAccess(ControlKeyring([key], logger: .init(label: "test")), sessions: DashboardSessions())
        let agent = try access.agent(authorization: ["bearer \(secret)"], address: "")
        #expect(agent.user == "key" && agent.domain == "a.example")
        try access.check(agent, .send, domain: "a.example")
        #expect(throws: ActionError(403, "DOMAIN")) { try access.check(agent, .send, domain: "b.example") }
        #expect(throws: ActionError(403, "SCOPE", ["scope": "kick"])) {
            try access.check(agent, .kick, domain: "a.example")
        }
        for wrong in [[], ["Basic \(secret)"], ["Bearer \(secret)", "Bearer \(secret)"], ["Bearer"], [secret]] {
            #expect(throws: ActionError(401, "KEY")) { _ = try access.agent(authorization: wrong, address: "") }
        }
    }

    private static func file() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)").path
    }
}
