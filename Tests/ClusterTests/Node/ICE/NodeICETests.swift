import Foundation
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Node

/// ICE servers and credentials for relays (SPEC LK-18).
@Suite struct NodeICETests {
    private static let secret = "0123456789abcdef"

    private static func servers(
        _ change: (inout ICEOptions) -> Void, refresh: Double = 0, now: Int64 = 1_700_000_000_000
    ) throws -> ICEServers {
        var options = ICEOptions()
        change(&options)
        return try ICEServers(
            options, refresh: refresh, now: { now }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("Credentials are those that an independent implementation makes")
    func credentials() {
        let made = TurnCredentials(
            domain: "app.example", user: "alice", expires: 1_700_000_600, secret: Array(Self.secret.utf8))
        #expect(made.username == "1700000600:mTfUI-8NtVWkgn6x")
        #expect(made.credential == "9/9y+lWmKy/ho8IHVr/opMfjkNA=")
    }

    @Test("A user's name at the relay stays, and is no other user's, of this domain or another")
    func names() {
        func name(_ domain: String, _ user: String, _ secret: String = Self.secret) -> Substring? {
            TurnCredentials(domain: domain, user: user, expires: 1, secret: Array(secret.utf8)).username.split(
                separator: ":"
            ).last
        }
        #expect(name("a.example", "u") == name("a.example", "u"))
        #expect(Set([name("a.example", "u"), name("a.example", "v"), name("b.example", "u")]).count == 3)
        #expect(name("a.example", "u") != name("a.example", "u", "another secret of 16"))
    }

    @Test("Without servers there is an empty list that does not end")
    func none() throws {
        let grant = try Self.servers { _ in }.grant(domain: "d", user: "u")
        #expect(String(buffer: grant.members) == #""iceServers":[],"iceExpires":0"#)
    }

    @Test("Both kinds of servers; the end is the credentials', in milliseconds, and whole seconds")
    func both() throws {
        let servers = try Self.servers(
            {
                $0.servers = ["stun:s.example"]
                $0.turnURLs = ["turn:t.example", "turns:t.example"]
                $0.turnSecret = .value(Self.secret)
                $0.turnLifetime = 600
            }, now: 1_700_000_000_999)
        let grant = try JSONValue(
            text: ByteBuffer(
                string: "{" + String(buffer: servers.grant(domain: "app.example", user: "alice").members) + "}"))
        #expect(grant["iceExpires"] == .int(1_700_000_600_000))
        guard case .array(let list)? = grant["iceServers"] else {
            Issue.record("no list")
            return
        }
        #expect(list[0] == .object(["urls": .array([.string("stun:s.example")])]))
        #expect(list[1]["urls"] == .array([.string("turn:t.example"), .string("turns:t.example")]))
        #expect(list[1]["username"] == .string("1700000600:mTfUI-8NtVWkgn6x"))
        #expect(list[1]["credential"] == .string("9/9y+lWmKy/ho8IHVr/opMfjkNA="))
    }

    @Test(
        "What cannot work is said",
        arguments: [
            (["http://s"], [], "begins with stun: or stuns:"), (["stun:"], [], "begins with"),
            (["stun:a b"], [], "begins with"), ([], ["stun:t"], "begins with turn: or turns:"),
            ([], ["turn:t"], "relays need a secret"), (Array(repeating: "stun:s", count: 17), [], "more than 16"),
        ])
    func complaints(servers: [String], relays: [String], words: String) {
        var options = ICEOptions()
        options.servers = servers
        options.turnURLs = relays
        #expect(options.complaint?.contains(words) == true)
    }

    @Test("A life of 10 s to a day")
    func lifetime() {
        var options = ICEOptions()
        for (seconds, isGood) in [(9.9, false), (10, true), (86_400, true), (86_401, false), (.nan, false)] {
            options.turnLifetime = seconds
            #expect((options.complaint == nil) == isGood)
        }
    }

    @Test(
        "A secret in a file is its first line, of a file that only its owner may read; what cannot be used changes nothing"
    )
    func file() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("turn-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func write(_ text: String, mode: Int = 0o600) throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        func name(_ servers: ICEServers) -> String { String(buffer: servers.grant(domain: "d", user: "u").members) }

        try write("\(Self.secret)\nanother line\n")
        let servers = try Self.servers {
            $0.turnURLs = ["turn:t"]
            $0.turnSecret = .file(path)
        }
        let first = name(servers)
        for (text, mode) in [("short", 0o600), ("fedcba9876543210", 0o640)] {
            try write(text, mode: mode)
            #expect(throws: TurnSecret.Unusable.self) { try servers.reload() }
            #expect(name(servers) == first)
        }
        try write("fedcba9876543210")
        try servers.reload()
        #expect(name(servers) != first)
    }

    @Test(
        "A request's id is an integer or a text, or is not there",
        arguments: [
            (#"{"_id":7}"#, true), (#"{"_id":"x"}"#, true), ("{}", true), (#"{"_id":{}}"#, false), ("7", false),
            (#"{"_id":1,"_id":2}"#, false), ("{},{}", false), (#"{"__proto__":1}"#, false),
        ])
    func requests(arguments: String, isGood: Bool) {
        let bytes = Array(arguments.utf8)
        let isRead = bytes.withUnsafeBytes { (try? ICERequest($0)) != nil }
        #expect(isRead == isGood)
    }
}
