import Foundation
import NIOCore
import Testing

@testable import Node

@Suite("TR-1, TR-2: trust in requests")
struct NodeHostTests {
    @Test(
        "TR-1: canonical hosts",
        arguments: [
            ("Example.ORG", "example.org", nil), ("example.org.", "example.org", nil),
            ("example.org:8080", "example.org", 8080),
            ("EXAMPLE.org.:443", "example.org", 443), ("xn--bcher-kva.example", "xn--bcher-kva.example", nil),
            ("a_b.example", "a_b.example", nil), ("[::1]:80", "::1", 80), ("[0:0::0:1]", "::1", nil),
            ("127.0.0.1", "127.0.0.1", nil),
        ] as [(String, String, Int?)])
    func canonical(text: String, name: String, port: Int?) throws {
        let host = try #require(HostName(text))
        #expect(host.name == name && host.port == port)
    }

    @Test(
        "TR-1: what is not a host",
        arguments: [
            "", ".", "..", "a..b", ".a", "-a.org", "a-.org", "a b", "a/b", "a@b", "user:pass@a", "bücher.example", "a:",
            "a:0",
            "a:65536", "a:1:2", "a:-1", "a:+1", "::1", "[::1", "[::1]x", "[127.0.0.1]", "[]", "127.1", "1.2.3.4.5",
            "256.0.0.1",
            "0x7f.0.0.1.1", "a%2eb", "a\u{0}", String(repeating: "a", count: 64) + ".org",
            Array(repeating: "abcdefg", count: 32).joined(separator: "."),
        ])
    func notAHost(text: String) {
        #expect(HostName(text) == nil)
    }

    @Test(
        "TR-1: configured names may be in their own script (RFC 3492)",
        arguments: [
            ("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.example", "xn--bcher-kva.example"),
            ("bu\u{308}cher.example", "xn--bcher-kva.example"), ("münchen.de", "xn--mnchen-3ya.de"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"), ("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"),
            ("Example.org.", "example.org"),
        ])
    func punycode(text: String, name: String) {
        #expect(HostName.configured(text) == name)
    }

    private static func table() throws -> DomainTable {
        try DomainTable(
            [
                ("Example.org", ["www.example.org", "*.example.net"]), ("deep.example.net", []),
                ("*.tenants.example", []),
                ("*.b.tenants.example", []), ("bücher.example", []),
            ], ports: [8443])
    }

    @Test(
        "TR-1: domains, aliases, wildcards, ports",
        arguments: [
            ("example.org", "example.org"), ("EXAMPLE.org.:443", "example.org"), ("example.org:80", "example.org"),
            ("example.org:8443", "example.org"), ("www.example.org", "example.org"), ("a.example.net", "example.org"),
            ("b.a.example.net", "example.org"), ("deep.example.net", "deep.example.net"),
            ("t1.tenants.example", "t1.tenants.example"),
            ("x.b.tenants.example", "x.b.tenants.example"), ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ])
    func served(host: String, domain: String) throws {
        #expect(try Self.table().destination(HeaderList([(name: "Host", value: host)])).domain == domain)
    }

    @Test(
        "TR-1: unknown hosts and ports are 421",
        arguments: [
            "example.com", "sub.example.org", "example.net", "tenants.example", "notexample.net", "example.org:8080",
            "127.0.0.1",
            "localhost",
        ])
    func unknown(host: String) throws {
        let table = try Self.table()
        #expect(throws: DomainTable.Refusal.unknown) {
            try table.destination(HeaderList([(name: "Host", value: host)]))
        }
    }

    @Test(
        "TR-1: no, repeated or malformed Host is 400, and X-Forwarded-Host counts for nothing",
        arguments: [
            [], [("Host", "")], [("Host", "example.org"), ("host", "example.org")], [("Host", "exa mple.org")],
            [("X-Forwarded-Host", "example.org")],
        ] as [[(name: String, value: String)]])
    func malformed(fields: [(name: String, value: String)]) throws {
        let table = try Self.table()
        #expect(throws: DomainTable.Refusal.malformed) { try table.destination(HeaderList(fields)) }
    }

    @Test(
        "TR-1: names that cannot be served stop the start",
        arguments: ["", "http://a.org", "a.org:80", "a.org/x", "*", "*.", "*.*"])
    func invalid(name: String) {
        #expect(throws: DomainTable.InvalidName.self) { try DomainTable([(name, [])]) }
        #expect(throws: DomainTable.InvalidName.self) { try DomainTable([("a.org", ["A.org"])]) }
        #expect(throws: DomainTable.InvalidName.self) { try DomainTable([("a.org", []), ("b.org", ["a.org"])]) }
    }

    @Test("DESIGN §9: in development mode any loopback host is the domain localhost, and no other is served")
    func development() throws {
        for host in [
            "localhost", "localhost:8081", "LOCALHOST.", "127.0.0.1:9", "127.5.4.3", "[::1]:8080", "a.localhost",
        ] {
            #expect(
                try DomainTable.development.destination(HeaderList([(name: "Host", value: host)])).domain == "localhost"
            )
        }
        for host in ["example.org", "localhost.example.org", "127.0.0.1.example.org", "192.0.2.1", "[::2]", "0.0.0.0"] {
            #expect(throws: DomainTable.Refusal.unknown) {
                try DomainTable.development.destination(HeaderList([(name: "Host", value: host)]))
            }
        }
    }

    @Test(
        "ID-5: an origin is the request's own only with its scheme, host and an agreed port",
        arguments: [
            ("https://example.org", true, DomainTable.OriginStanding.own), ("https://EXAMPLE.org:443", true, .own),
            ("https://example.org:8443", true, .own), ("http://example.org", false, .own),
            ("http://example.org:80", false, .own),
            ("http://example.org", true, .foreign), ("https://example.org", false, .foreign),
            ("https://example.org:80", true, .foreign), ("https://example.org:444", true, .foreign),
            ("https://www.example.org", true, .foreign), ("https://evil.org", true, .foreign),
            ("https://example.org.evil.org", true, .foreign), ("https://example.org@evil.org", true, .foreign),
            ("https://example.org/x", true, .foreign), ("null", true, .foreign), ("", true, .foreign),
            ("example.org", true, .foreign), ("HTTPS://example.org", true, .foreign), ("file://", true, .foreign),
        ])
    func origins(origin: String, isSecure: Bool, standing: DomainTable.OriginStanding) throws {
        let table = try Self.table()
        let headers = HeaderList([(name: "Host", value: "example.org"), (name: "Origin", value: origin)])
        let destination = try table.destination(headers)
        #expect(table.origin(headers, of: destination, isSecure: isSecure) == standing)
    }

    @Test("ID-5: no origin is no foreign one; two are")
    func originCount() throws {
        let table = try Self.table()
        let destination = try table.destination(HeaderList([(name: "Host", value: "example.org")]))
        #expect(table.origin(HeaderList([(name: "A", value: "b")]), of: destination, isSecure: true) == .absent)
        let twice = HeaderList([
            (name: "Origin", value: "https://example.org"), (name: "Origin", value: "https://example.org"),
        ])
        #expect(table.origin(twice, of: destination, isSecure: true) == .foreign)
    }

    @Test(
        "ID-5: without an origin, what a browser says of an image or a frame counts; a link that is followed is not foreign",
        arguments: [
            ("cross-site", "no-cors", "image", true), ("same-site", "no-cors", "image", true),
            ("same-site", "navigate", "iframe", true), ("cross-site", "cors", "empty", true),
            ("cross-site", "navigate", "document", false), ("same-origin", "no-cors", "image", false),
            ("none", "navigate", "document", false), ("", "", "", false),
        ])
    func fetchMetadata(site: String, mode: String, use: String, isForeign: Bool) throws {
        let table = try DomainTable([("example.org", [])])
        let fields = [
            ("Host", "example.org"), ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", use),
        ]
        let headers = HeaderList(fields.filter { !$0.1.isEmpty }.map { (name: $0.0, value: $0.1) })
        let destination = try table.destination(headers)
        #expect(table.origin(headers, of: destination, isSecure: true) == (isForeign ? .foreign : .absent))
        let local = HeaderList([(name: "Host", value: "localhost"), (name: "Sec-Fetch-Site", value: site)])
        #expect(DomainTable.development.origin(local, of: destination, isSecure: true) == .absent)
    }

    @Test("DESIGN §9: in development mode a loopback origin of any port is fine, any other is foreign")
    func developmentOrigins() throws {
        let table = DomainTable.development
        let destination = try table.destination(HeaderList([(name: "Host", value: "127.0.0.1:8081")]))
        for (origin, standing) in [
            ("http://localhost:3000", DomainTable.OriginStanding.own), ("https://127.0.0.1", .own),
            ("http://[::1]:1", .own),
            ("http://evil.org", .foreign), ("null", .foreign), ("http://localhost.evil.org", .foreign),
        ] {
            #expect(
                table.origin(HeaderList([(name: "Origin", value: origin)]), of: destination, isSecure: false)
                    == standing)
        }
    }

    struct Forwarded: Sendable {
        let peer: String
        let fields: [(name: String, value: String)]
        let address: String
        var isSecure = false
    }

    @Test(
        "TR-2: the client's address and scheme",
        arguments: [
            Forwarded(peer: "127.0.0.1", fields: [], address: "127.0.0.1"),
            Forwarded(
                peer: "198.51.100.1", fields: [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")],
                address: "198.51.100.1"),
            Forwarded(
                peer: "127.0.0.1", fields: [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")],
                address: "192.0.2.1", isSecure: true),
            Forwarded(
                peer: "::1", fields: [("X-Forwarded-For", "203.0.113.9, 192.0.2.1, 10.1.2.3")], address: "192.0.2.1"),
            Forwarded(
                peer: "127.0.0.1",
                fields: [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "192.0.2.1,10.0.0.1")],
                address: "192.0.2.1"),
            Forwarded(peer: "::ffff:198.51.100.1", fields: [], address: "198.51.100.1"),
            Forwarded(peer: "::ffff:127.0.0.1", fields: [("X-Forwarded-For", "2001:DB8::0:1")], address: "2001:db8::1"),
            Forwarded(peer: "127.0.0.1", fields: [("X-Forwarded-For", "10.0.0.9, 10.0.0.1")], address: "10.0.0.9"),
            Forwarded(peer: "127.0.0.1", fields: [("X-Real-IP", "192.0.2.5")], address: "192.0.2.5"),
            Forwarded(
                peer: "127.0.0.1", fields: [("X-Real-IP", "192.0.2.5"), ("X-Forwarded-For", "192.0.2.6")],
                address: "192.0.2.6"),
            Forwarded(
                peer: "127.0.0.1", fields: [("X-Forwarded-For", "junk"), ("X-Real-IP", "192.0.2.5")],
                address: "127.0.0.1"),
            Forwarded(
                peer: "127.0.0.1", fields: [("X-Forwarded-For", "192.0.2.1, junk, 10.0.0.1")], address: "127.0.0.1"),
            Forwarded(peer: "127.0.0.1", fields: [("X-Forwarded-For", "192.0.2.1:80")], address: "127.0.0.1"),
            Forwarded(peer: "127.0.0.1", fields: [("X-Forwarded-For", "")], address: "127.0.0.1"),
            Forwarded(
                peer: "127.0.0.1", fields: [("X-Real-IP", "192.0.2.1"), ("X-Real-IP", "192.0.2.2")],
                address: "127.0.0.1"),
            Forwarded(
                peer: "127.0.0.1", fields: [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")],
                address: "127.0.0.1"),
            Forwarded(peer: "127.0.0.1", fields: [("X-Forwarded-Proto", "https, http")], address: "127.0.0.1"),
            Forwarded(peer: "", fields: [("X-Forwarded-For", "192.0.2.1")], address: ""),
        ])
    func forwarded(row: Forwarded) throws {
        let trust = try ProxyTrust(ProxyTrust.loopback + ["10.0.0.0/8"])
        let source = trust.source(HeaderList(row.fields), peer: row.peer)
        #expect(source.address == row.address)
        #expect(source.isSecure == row.isSecure)
    }

    @Test(
        "TR-2: the address of a socket",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("255.10.0.99", "255.10.0.99"), ("0.0.0.0", "0.0.0.0"), ("::1", "::1"),
            ("2001:DB8::0:1", "2001:db8::1"), ("::ffff:192.0.2.100", "192.0.2.100"),
        ])
    func sockets(host: String, text: String) throws {
        let address = try #require(IPAddress(try SocketAddress(ipAddress: host, port: 80)))
        #expect(address.text == text)
        #expect(address == IPAddress(text) && address.key == IPAddress(host)?.key)
    }

    @Test("TR-2: a Unix socket has no address")
    func unixSocket() throws {
        #expect(IPAddress(try SocketAddress(unixDomainSocketPath: "/x")) == nil)
    }

    @Test("TR-2: CIDR blocks")
    func blocks() throws {
        let block = try #require(IPAddress.Block("192.0.2.128/25"))
        #expect(block.contains(try #require(IPAddress("192.0.2.129"))))
        #expect(!block.contains(try #require(IPAddress("192.0.2.127"))))
        #expect(try #require(IPAddress.Block("0.0.0.0/0")).contains(try #require(IPAddress("203.0.113.1"))))
        #expect(!(try #require(IPAddress.Block("0.0.0.0/0")).contains(try #require(IPAddress("::1")))))
        #expect(try #require(IPAddress.Block("2001:db8::/33")).contains(try #require(IPAddress("2001:db8:7fff::1"))))
        #expect(!(try #require(IPAddress.Block("2001:db8::/33")).contains(try #require(IPAddress("2001:db8:8000::1")))))
        for text in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8", "10.0.0.0/"] {
            #expect(IPAddress.Block(text) == nil)
            #expect(throws: ProxyTrust.InvalidBlock(text: text)) { try ProxyTrust([text]) }
        }
    }
}

@Suite("OP-1: signing keys")
struct NodeSigningKeyTests {
    private static let key = Base64URLText.encode([UInt8](repeating: 7, count: 32))

    private static func load(_ text: String, mode: Int = 0o600) throws -> SigningKeys {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)").path
        #expect(
            FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: NSNumber(value: mode)]))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: mode)], ofItemAtPath: path)
        return try SigningKeyFile.load(path)
    }

    @Test("OP-1: keys come from a private file, one a line")
    func file() throws {
        let other = Base64URLText.encode([UInt8](repeating: 8, count: 48))
        let keys = try Self.load("# first signs\n\(other)\n\n\(Self.key)\r\n")
        #expect(keys.sign([1]) == (try SigningKeys([[UInt8](repeating: 8, count: 48)])).sign([1]))
        #expect(keys.verify(try SigningKeys([[UInt8](repeating: 7, count: 32)]).sign([1]), of: [1]) != nil)
        #expect(!"\(keys) \(String(reflecting: keys))".contains(other))
    }

    @Test("OP-1: a file that others can read, or that holds no good key, stops the start")
    func refused() {
        #expect(throws: SigningKeyError.self) { try Self.load(Self.key, mode: 0o640) }
        #expect(throws: SigningKeyError.self) { try Self.load(Self.key, mode: 0o604) }
        #expect(throws: SigningKeyError.none) { try Self.load("\n# nothing\n") }
        #expect(throws: SigningKeyError.tooShort(line: 1)) {
            try Self.load(Base64URLText.encode([UInt8](repeating: 7, count: 31)))
        }
        #expect(throws: SigningKeyError.malformed(line: 2)) { try Self.load(Self.key + "\nAAAA=\n") }
        #expect(throws: SigningKeyError.repeated(line: 2)) { try Self.load(Self.key + "\n" + Self.key) }
        #expect(throws: SigningKeyError.self) { try SigningKeyFile.load("/nonexistent/keys") }
        #expect(throws: SigningKeyError.self) { try SigningKeyFile.load(FileManager.default.temporaryDirectory.path) }
    }

    @Test("ID-1: base64url has one text per value")
    func base64() {
        for length in 0..<70 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255) }
            #expect(Base64URLText.decode(Base64URLText.encode(bytes)) == bytes)
        }
        for text in ["A", "AB", "AAB", "AA==", "A+", "A/", "AAAAA", "é"] { #expect(Base64URLText.decode(text) == nil) }
    }
}
