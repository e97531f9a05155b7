import Foundation
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Node

@Suite("Taking tokens: keys, requests, hooks")
struct TokenAuthorityTests {
    private static let forge = TokenForge.shared
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// An issuer's key address: what it answers, and how often it was asked.
    private final class Provider: Sendable {
        struct State {
            var keys = ""
            var reads = 0
            var fails = false
        }

        let state = Mutex(State())

        func read() async throws -> TokenKeySet {
            let (text, fails) = self.state.withLock { state in
                state.reads += 1
                return (state.keys, state.fails)
            }
            if fails { throw TokenKeyReader.Failure(description: "away") }
            return try await TokenKeySet(ByteBuffer(string: text), allowsSecrets: false)
        }

        var reads: Int { self.state.withLock(\.reads) }
        func offer(_ algorithms: String...) throws {
            let keys = try TokenAuthorityTests.forge.keySet(algorithms)
            self.state.withLock { ($0.keys, $0.fails) = (keys, false) }
        }
        func fail() { self.state.withLock { $0.fails = true } }
    }

    private static func source(_ provider: Provider, _ clock: NodeTestClock) -> TokenKeySource {
        TokenKeySource(
            TokenIssuer(issuer: "i", audience: "a", keys: .url("https://id.example/keys")),
            read: { try await provider.read() }, now: { clock.now }, logger: Self.quiet)
    }

    @Test("Keys are read again when it is time, and because of an unknown key at most once in the interval")
    func refresh() async throws {
        let (provider, clock) = (Provider(), NodeTestClock())
        let source = Self.source(provider, clock)
        try provider.offer("ES256")
        #expect(source.keys == nil && source.isDue)
        #expect(await source.load())
        #expect(source.keys?.count == 1 && !source.isDue)
        try provider.offer("ES256", "RS256")
        for _ in 0..<100 { #expect(await !source.look()) }
        #expect(provider.reads == 1, "no request per request")
        clock.advance(30)
        #expect(await source.look())
        #expect(provider.reads == 2 && source.keys?.count == 2)
        clock.advance(599)
        #expect(!source.isDue)
        clock.advance(1)
        #expect(source.isDue)
    }

    @Test("The last good set is kept while the issuer is away, or answers with nonsense")
    func away() async throws {
        let (provider, clock) = (Provider(), NodeTestClock())
        let source = Self.source(provider, clock)
        provider.fail()
        #expect(await !source.load())
        #expect(source.keys == nil)
        clock.advance(30)
        try provider.offer("ES256")
        #expect(await source.look())
        provider.state.withLock { $0.keys = "<html>" }
        #expect(await !source.load())
        provider.fail()
        #expect(await !source.load())
        #expect(source.keys?.count == 1)
    }

    @Test("Who comes while keys are read waits for that reading")
    func coalesced() async throws {
        let (provider, clock) = (Provider(), NodeTestClock())
        try provider.offer("ES256")
        let gate = AsyncStream<Void>.makeStream()
        let source = TokenKeySource(
            TokenIssuer(issuer: "i", audience: "a", keys: .url("https://id.example/keys")),
            read: {
                for await _ in gate.stream {}
                return try await provider.read()
            }, now: { clock.now }, logger: Self.quiet)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { await source.load() } }
            // All but the first wait for it by now, or will find it under way.
            gate.continuation.finish()
            for await isRead in group { #expect(isRead) }
        }
        #expect(source.keys?.count == 1)
    }

    private static func authority(
        _ issuers: [(String, TokenIssuer)]? = nil, hook: TokenHook? = nil, clock: NodeTestClock = NodeTestClock()
    ) async throws -> TokenAuthority {
        let text = try Self.forge.keySet()
        let issuer = TokenIssuer(issuer: TokenForge.issuer, audience: TokenForge.audience, keys: .text(text))
        let authority = TokenAuthority(
            issuers ?? [("example.org", issuer)], hook: hook, now: { clock.now }, monotonic: { clock.now },
            logger: Self.quiet)
        try await authority.start()
        return authority
    }

    private static func agent(
        _ authority: TokenAuthority, _ headers: [(String, String)], domain: String = "example.org",
        origin: DomainTable.OriginStanding = .absent
    ) async throws -> Agent? {
        try await authority.agent(
            HeaderList(headers.map { (name: $0.0, value: $0.1) }),
            SessionAuthority.Presented(
                domain: domain, source: ProxyTrust.Source(address: "192.0.2.7", isSecure: true), origin: origin))
    }

    @Test("A bearer is active, without cookies, and domestic unless a foreign page sent it")
    func bearer() async throws {
        let authority = try await Self.authority()
        let token = try await Self.forge.token()
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let agent = try #require(try await Self.agent(authority, [("Authorization", "\(scheme) \(token)")]))
            #expect(agent.isActive && agent.user == "alice" && agent.client == "token" && agent.isDomestic)
            #expect(agent.cookies.isEmpty && agent.session == nil)
            await agent.renewIfDue()
            #expect(agent.cookies.isEmpty)
            await #expect(throws: SessionError.detached) { try await agent.setActive(user: "bob", client: "x") }
            await #expect(throws: SessionError.detached) { try await agent.logout() }
        }
        let headers = [("Authorization", "Bearer \(token)")]
        #expect(try await Self.agent(authority, headers, origin: .own)?.isDomestic == true)
        let foreign = try await Self.agent(authority, headers, origin: .foreign)
        #expect(foreign?.isActive == true && foreign?.isDomestic == false)
    }

    @Test("No token, another scheme, or a domain without issuers: the session decides")
    func absent() async throws {
        let authority = try await Self.authority()
        let token = try await Self.forge.token()
        #expect(try await Self.agent(authority, []) == nil)
        #expect(try await Self.agent(authority, [("Authorization", "Basic YTpi")]) == nil)
        #expect(try await Self.agent(authority, [("Authorization", "Bearer \(token)")], domain: "other.org") == nil)
    }

    @Test("A token that is not taken is 401, never a guest")
    func unauthorized() async throws {
        let authority = try await Self.authority()
        let token = try await Self.forge.token()
        for headers in [
            [("Authorization", "Bearer")], [("Authorization", "Bearer x")], [("Authorization", "Bearer \(token) x")],
            [("Authorization", "Bearer \(token)"), ("Authorization", "Bearer \(token)")],
            [("Authorization", "Bearer \(token)x")],
        ] {
            await #expect(throws: ActionError.token) { try await Self.agent(authority, headers) }
        }
        let expired = try await Self.forge.token(TokenForge.claims { $0["exp"] = 1 })
        await #expect(throws: ActionError.token) {
            try await Self.agent(authority, [("Authorization", "Bearer \(expired)")])
        }
    }

    @Test("Issuers belong to their domain: the same token is nobody's in another one")
    func domains() async throws {
        let text = try Self.forge.keySet()
        let first = TokenIssuer(issuer: TokenForge.issuer, audience: TokenForge.audience, keys: .text(text))
        var second = first
        second.issuer = "https://other.example"
        let authority = try await Self.authority([("a.org", first), ("b.org", second)])
        let token = try await Self.forge.token()
        #expect(try await authority.verify(token, in: "a.org").domain == "a.org")
        await #expect(throws: TokenRefusal.issuer) { try await authority.verify(token, in: "b.org") }
        await #expect(throws: TokenRefusal.issuer) { try await authority.verify(token, in: "c.org") }
    }

    @Test("The application's hook may refuse: tokens issued before a moment, for one")
    func hook() async throws {
        let authority = try await Self.authority(hook: { token in
            if token.user == "mallory" { throw ActionError(500, "HOOK") }
            return (token.issuedAt ?? 0) >= Double(TokenForge.now / 1_000)
        })
        #expect(try await authority.verify(Self.forge.token(), in: "example.org").user == "alice")
        for change in [
            { $0["iat"] = .int(TokenForge.now / 1_000 - 1) }, { $0["iat"] = nil }, { $0["sub"] = "mallory" },
        ] as [(inout [String: JSONValue]) -> Void] {
            let token = try await Self.forge.token(TokenForge.claims(change))
            await #expect(throws: TokenRefusal.hook) { try await authority.verify(token, in: "example.org") }
        }
    }

    @Test("While no key could be read yet it is a temporary refusal")
    func unavailable() async throws {
        let clock = NodeTestClock()
        let issuer = TokenIssuer(
            issuer: TokenForge.issuer, audience: TokenForge.audience, keys: .url("https://id.example/keys"))
        let reader = TokenKeyReader(resolve: { _ in throw TokenKeyReader.Failure(description: "no network") })
        let authority = TokenAuthority(
            [("example.org", issuer)], reader: reader, now: { clock.now }, monotonic: { clock.now }, logger: Self.quiet)
        try await authority.start()
        let token = try await Self.forge.token()
        await #expect(throws: TokenRefusal.unavailable) { try await authority.verify(token, in: "example.org") }
        await #expect(throws: ActionError.unavailable) {
            try await Self.agent(authority, [("Authorization", "Bearer \(token)")])
        }
    }

    @Test(
        "Keys are not fetched from addresses that are not public, nor by http",
        arguments: [
            "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
            "2001:db8::1", "ff02::1",
        ])
    func privateAddresses(address: String) async throws {
        #expect(IPAddress(address)?.isPublic == false)
        let reader = TokenKeyReader(resolve: { _ in ["93.184.216.34", address] })
        let issuer = TokenIssuer(issuer: "i", audience: "a", keys: .url("https://id.example/keys"))
        do {
            _ = try await reader.read(issuer)
            Issue.record("it was fetched")
        } catch let error as OutboundPolicy.Refusal {
            #expect(error.description.contains("not public"))
        }
    }

    @Test("Public addresses are public, and what is no address of keys is refused at start")
    func addresses() async throws {
        for address in ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "172.32.0.1", "100.128.0.1"] {
            #expect(IPAddress(address)?.isPublic == true, "\(address)")
        }
        func complaint(_ url: String) -> String? {
            TokenIssuer(issuer: "i", audience: "a", keys: .url(url)).complaint
        }
        #expect(complaint("https://id.example/keys") == nil)
        for url in [
            "http://id.example/keys", "ftp://id.example", "https://user@id.example/", "https:///x",
            "file:///etc/passwd", "",
        ] {
            #expect(complaint(url) != nil, "\(url)")
        }
        let issuer = TokenIssuer(issuer: "i", audience: "a", keys: .url("http://id.example/keys"))
        await #expect(throws: OutboundPolicy.Refusal.self) {
            try await TokenKeyReader(resolve: { _ in ["93.184.216.34"] }).read(issuer)
        }
    }

    @Test("A file with a shared secret must be its owner's alone")
    func files() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID().uuidString).json").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let issuer = TokenIssuer(issuer: "i", audience: "a", keys: .file(path))
        await #expect(throws: (any Error).self) { try await TokenKeyReader().read(issuer) }
        for (keys, mode, isTaken) in [
            (["ES256"], 0o644, true), (["HS256"], 0o644, false), (["HS256"], 0o600, true),
        ] {
            try Self.forge.keySet(keys).write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            let found = try? await TokenKeyReader().read(issuer)
            #expect((found != nil) == isTaken, "\(keys) \(mode)")
        }
    }
}
