import Testing

@testable import Node

/// Where requests of the node's own may go (DESIGN §7).
@Suite struct OutboundPolicyTests {
    private static func destination(
        _ url: String, _ addresses: [String], allowing allowance: OutboundPolicy.Allowance = .none
    ) async throws -> String {
        let address = try #require(OutboundAddress(url))
        return try await OutboundPolicy(allowing: allowance, resolve: { _ in addresses }).destination(of: address).text
    }

    @Test("One address that is not public is enough to refuse a name, in whatever form it comes")
    func mixed() async throws {
        let public4 = "93.184.216.34"
        #expect(try await Self.destination("https://h.example/x", [public4, "2606:2800:220:1::1"]) == public4)
        for other in [
            "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fe80::1", "::ffff:192.168.0.1", "fd00::1",
            "64:ff9b::a00:1", "fe80::1%eth0", "nonsense",
        ] {
            await #expect(throws: OutboundPolicy.Refusal.self, "\(other)") {
                try await Self.destination("https://h.example/x", [public4, other])
            }
        }
        await #expect(throws: OutboundPolicy.Refusal.self) { try await Self.destination("https://h.example/x", []) }
    }

    @Test("What is allowed may be private and plain; nothing else becomes so")
    func allowed() async throws {
        let block = try #require(IPAddress.Block("10.1.0.0/16"))
        #expect(try await Self.destination("http://h.example/", ["10.1.2.3"], allowing: .blocks([block])) == "10.1.2.3")
        for (url, addresses) in [
            ("http://h.example/", ["93.184.216.34"]), ("https://h.example/", ["10.2.0.1"]),
            ("https://h.example/", ["10.1.0.1", "10.2.0.1"]), ("https://h.example/", ["169.254.169.254"]),
        ] {
            await #expect(throws: OutboundPolicy.Refusal.self, "\(url)") {
                try await Self.destination(url, addresses, allowing: .blocks([block]))
            }
        }
    }

    @Test(
        "The host that is asked is the host that was looked at, however it is written",
        arguments: [
            ("https://ID.Example/Keys?A=b", "https://id.example/Keys?A=b"),
            ("https://id.example./keys", "https://id.example/keys"),
            ("https://id.example:8443", "https://id.example:8443/"), ("https://id.example?x", "https://id.example/?x"),
            ("https://[2606:2800:220:1:0::1]:1/", "https://[2606:2800:220:1::1]:1/"),
        ])
    func canonical(text: String, url: String) {
        #expect(OutboundAddress(text)?.url == url)
    }

    @Test(
        "What hides its host is no address",
        arguments: [
            "https://a@b.example/", "http://[::FFFF:10.0.0.1]/", "https://0x7f.1/", "https://2130706433/",
            "https://a%2eb/", "HTTPS://a.example",
            "https://a\\b/",
        ])
    func hidden(text: String) {
        #expect(OutboundAddress(text) == nil)
    }
}
