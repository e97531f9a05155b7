import Routing
import Testing

@testable import Node

@Suite("Sessions of a node")
struct NodeAgentTests {
    private static func options(cached: Bool) -> SessionOptions {
        var options = SessionOptions()
        if !cached { options.cacheSessions = 0 }
        return options
    }

    @Test("ID-6: a login through its ages, cached and uncached", arguments: [true, false])
    func ages(cached: Bool) async throws {
        let node = NodeTestIdentity(Self.options(cached: cached))
        let cookies = try await node.login(remember: true)
        func standing() async throws -> Agent.Standing { try await node.agent(cookies: cookies).standing }
        #expect(try await standing() == .active)
        node.clock.advance(86_400 * 1.5)
        #expect(try await standing() == .active, "past its age, but used within sessionRenewalTimeout")
        await node.pool.settle()
        node.clock.advance(86_400 * 2.9)
        #expect(try await standing() == .active, "activity counts from the last use, not from login")
        await node.pool.settle()
        node.clock.advance(86_400 * 3)
        #expect(try await standing() == .idle)
        node.clock.advance(86_400 * 365)
        #expect(try await standing() == .guest)
    }

    @Test(
        "ID-6: loginLifespan ends a session that is used all the time, cached and uncached", arguments: [true, false])
    func loginEnd(cached: Bool) async throws {
        let node = NodeTestIdentity(Self.options(cached: cached))
        let cookies = try await node.login(remember: true)
        for _ in 0..<27 {
            node.clock.advance(86_400 / 2)
            #expect(try await node.agent(cookies: cookies).isActive)
            await node.pool.settle()
        }
        node.clock.advance(86_400 / 2)
        #expect(try await node.agent(cookies: cookies).isIdle)
    }

    @Test("ID-6: a session of one domain is none of another, cached and uncached", arguments: [true, false])
    func domains(cached: Bool) async throws {
        let node = NodeTestIdentity(Self.options(cached: cached))
        let cookies = try await node.login()
        #expect(try await node.agent(cookies: cookies).isActive)
        #expect(try await node.agent(cookies: cookies, domain: "other.org").isGuest)
        #expect(try await node.agent(cookies: cookies).isActive)
    }

    @Test(
        "ID-1: a deviating cookie is a guest's, without a read",
        arguments: [
            "", "v1.", "v1.AAAA", "v2." + String(repeating: "A", count: 43), "v1." + String(repeating: "A", count: 44),
            "v1." + String(repeating: "A", count: 42) + "B", "v1." + String(repeating: "+", count: 43),
        ])
    func deviating(value: String) async throws {
        let node = NodeTestIdentity()
        let agent = try await node.agent(headers: [("Cookie", "__Host-session=\(value)")])
        #expect(agent.isGuest)
        #expect(node.store.counts.finds == 0)
    }

    @Test("ID-1: a session cookie that is there twice, or under its insecure name, is a guest's, without a read")
    func tossed() async throws {
        let node = NodeTestIdentity()
        let value = try #require(try await node.login().first).value
        let pair = "__Host-session=\(value)"
        #expect(try await node.agent(headers: [("Cookie", "\(pair); \(pair)")]).isGuest)
        #expect(try await node.agent(headers: [("Cookie", pair), ("Cookie", pair)]).isGuest)
        #expect(try await node.agent(headers: [("Cookie", "session=\(value)")]).isGuest)
        #expect(node.store.counts.finds == 0)
        #expect(try await node.agent(headers: [("Cookie", "a=b; \(pair); c=d")]).isActive)
    }

    @Test("ID-1: only the hash of the secret is stored, and nothing prints it")
    func hashed() async throws {
        let node = NodeTestIdentity()
        let agent = try await node.agent()
        try await agent.setActive(user: "alice", client: "phone")
        let cookie = try #require(agent.cookies.first)
        let secret = try #require(SessionSecret(cookie.value))
        let stored = try #require(try await node.store.inner.find(secret.hash))
        #expect(stored == agent.session)
        #expect(!"\(stored)".contains(secret.text))
        #expect("\(secret) \(String(reflecting: secret))".contains("withheld"))
        #expect(!"\(String(reflecting: secret))".contains(secret.text.dropFirst(3)))
    }

    @Test("ID-10: a login shows at once and sets its cookies")
    func login() async throws {
        let node = NodeTestIdentity()
        let agent = try await node.agent()
        #expect(agent.isGuest && agent.user == nil && agent.cookies.isEmpty)
        try await agent.setActive(user: "alice", client: "phone")
        #expect(agent.isActive && agent.user == "alice" && agent.client == "phone")
        #expect(agent.cookies.map(\.name) == ["__Host-session", "__Host-domestic", "__Host-loggedOut"])
    }

    @Test("ID-10: another site's page logs nobody in, unless the application means it to")
    func foreignLogin() async throws {
        let node = NodeTestIdentity()
        let agent = try await node.agent(origin: .foreign)
        await #expect(throws: SessionError.foreignOrigin) {
            try await agent.setActive(user: "mallory", client: "phone")
        }
        #expect(agent.isGuest && agent.cookies.isEmpty)
        try await agent.setActive(user: "alice", client: "phone", fromForeignOrigin: true)
        #expect(agent.isActive)
    }

    @Test("ID-10: no fixation: the presented session ends everywhere, and the new one is a chain of its own")
    func fixation() async throws {
        let node = NodeTestIdentity()
        let other = node.node()
        node.log.change { $0.readings = [DirectoryReading(records: [other], isComplete: true)] }
        let planted = try await node.login("mallory", "laptop")
        let agent = try await node.agent(cookies: planted)
        let before = try #require(agent.session)
        try await agent.setActive(user: "alice", client: "phone")
        let after = try #require(agent.session)
        #expect(after.hash != before.hash && after.chain != before.chain && after.predecessor == nil)
        #expect(try await node.agent(cookies: planted).isIdle)
        let expected = Invalidation(
            domain: "example.org", user: "mallory", client: "laptop", reason: .session, chain: before.chain)
        let log = node.log.now
        #expect(log.invalidations == [expected])
        #expect(log.published.map(\.target) == [other.id])
        #expect(try log.published.map { try Invalidation($0.message) } == [expected])
    }

    @Test("ID-10: a login of the same person moves its sockets to the new session")
    func again() async throws {
        let node = NodeTestIdentity()
        let agent = try await node.agent(cookies: try await node.login())
        let before = try #require(agent.session)
        try await agent.setActive()
        let invalidation = try #require(node.log.now.invalidations.last)
        #expect(invalidation.chain == before.chain && invalidation.successor == agent.session?.hash)
    }

    @Test("ID-10: an idle session names user and client; a guest must")
    func identity() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login(remember: true)
        node.clock.advance(86_400 * 20)
        let idle = try await node.agent(cookies: cookies)
        #expect(idle.isIdle && idle.user == "alice")
        try await idle.setActive()
        #expect(idle.isActive && idle.client == "phone")
        #expect(idle.cookies.first?.maxAge == 365 * 86_400, "it stays remembered")
        let guest = try await node.agent()
        await #expect(throws: SessionError.identityMissing) { try await guest.setActive(user: "bob") }
        await #expect(throws: SessionError.identityInvalid) { try await guest.setActive(user: "bob", client: "a\u{1}") }
        #expect(guest.isGuest && guest.cookies.isEmpty)
    }

    @Test("ND-13: without the store there is no login, and the agent stays who it was")
    func storeAway() async throws {
        let node = NodeTestIdentity()
        let agent = try await node.agent()
        node.store.fail("insert", 1)
        await #expect(throws: SessionError.self) { try await agent.setActive(user: "alice", client: "phone") }
        #expect(agent.isGuest && agent.cookies.isEmpty)
        let cookies = try await node.login()
        node.store.fail("find", 1)
        await #expect(throws: StoreError.self) { try await node.agent(cookies: cookies) }
    }

    @Test("ID-12: logout ends all sessions of the user and clears the cookies")
    func logout() async throws {
        let node = NodeTestIdentity()
        let (phone, laptop) = (try await node.login(), try await node.login("alice", "laptop"))
        let bob = try await node.login("bob")
        let agent = try await node.agent(cookies: phone)
        try await agent.logout()
        #expect(agent.isGuest && agent.user == nil)
        #expect(
            agent.cookies.map(\.text) == [
                "__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
                "__Host-domestic=; Path=/; Max-Age=0; Secure; SameSite=Strict",
                "__Host-loggedOut=1; Path=/; Secure; SameSite=Lax",
            ])
        #expect(try await node.agent(cookies: phone).isIdle)
        #expect(try await node.agent(cookies: laptop).isIdle)
        #expect(try await node.agent(cookies: bob).isActive)
    }

    @Test("ID-12: a remembered session is idle after logout and keeps its cookies")
    func rememberedLogout() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login(remember: true)
        let agent = try await node.agent(cookies: cookies)
        try await agent.logout()
        #expect(agent.isIdle && agent.user == "alice")
        #expect(agent.cookies.map(\.name) == ["__Host-loggedOut"])
        #expect(try await node.agent(cookies: cookies).isIdle)
    }

    @Test("ID-12: the logout of one client leaves the others, and the agent of another, alone")
    func clientLogout() async throws {
        let node = NodeTestIdentity()
        let (phone, laptop) = (try await node.login(), try await node.login("alice", "laptop"))
        let agent = try await node.agent(cookies: phone)
        try await agent.logout(client: "laptop")
        #expect(agent.isActive && agent.cookies.isEmpty)
        #expect(try await node.agent(cookies: phone).isActive)
        #expect(try await node.agent(cookies: laptop).isIdle)
    }

    @Test("ID-11: setIdle ends the client's sessions, leaves an idle one, and kicks that client only")
    func idle() async throws {
        let node = NodeTestIdentity()
        let (phone, laptop) = (try await node.login(), try await node.login("alice", "laptop"))
        let agent = try await node.agent(cookies: phone)
        try await agent.setIdle()
        #expect(agent.isIdle && agent.user == "alice")
        #expect(try await node.agent(cookies: phone).isIdle)
        #expect(try await node.agent(cookies: agent.cookies.filter { $0.maxAge != 0 }).isIdle)
        #expect(try await node.agent(cookies: laptop).isActive)
        #expect(
            node.log.now.kicks == [
                Kick(domain: "example.org", user: "alice", client: "phone", reason: .session)
            ])
    }

    @Test(
        "ID-8: activity is written once per resolution, however many requests come, cached and uncached",
        arguments: [true, false])
    func activity(cached: Bool) async throws {
        let node = NodeTestIdentity(Self.options(cached: cached))
        let cookies = try await node.login()
        for _ in 0..<20 {
            _ = try await node.agent(cookies: cookies)
            await node.pool.settle()
        }
        #expect(node.store.counts.touches == 0)
        node.clock.advance(300)
        for _ in 0..<20 {
            _ = try await node.agent(cookies: cookies)
            await node.pool.settle()
        }
        #expect(node.store.counts.touches == 1)
    }

    @Test("ID-2, ID-4, ID-5: domesticity needs the right token and no foreign origin, and never changes who it is")
    func domestic() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        let token = try #require(cookies.first { $0.name == "__Host-domestic" }).value
        func isDomestic(_ tokens: String..., origin: DomainTable.OriginStanding = .absent) async throws -> Bool {
            let agent = try await node.agent(
                cookies: cookies, headers: tokens.map { ("X-Domestic", $0) }, origin: origin)
            #expect(agent.isActive)
            return agent.isDomestic
        }
        #expect(try await isDomestic(token))
        #expect(try await isDomestic(token, origin: .own))
        #expect(try await !isDomestic(token, origin: .foreign))
        #expect(try await !isDomestic())
        #expect(try await !isDomestic(""))
        #expect(try await !isDomestic(String(token.dropLast())))
        #expect(try await !isDomestic(token + "A"))
        #expect(try await !isDomestic("x", token), "the first one counts")
        let other = try #require(try await node.login("bob").first { $0.name == "__Host-domestic" }).value
        #expect(try await !isDomestic(other))
        #expect(try await !node.agent(headers: [("X-Domestic", token)]).isDomestic)
    }

    @Test("ID-2: all keys verify, the first signs, and fields cannot run into each other")
    func rotation() throws {
        let (old, new) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        let chain = [UInt8](repeating: 9, count: 32)
        let earlier = DomesticToken(keys: try SigningKeys([old])).text(domain: "a.org", chain: chain)
        let rotated = DomesticToken(keys: try SigningKeys([new, old]))
        #expect(rotated.isRight(earlier, domain: "a.org", chain: chain))
        #expect(rotated.text(domain: "a.org", chain: chain) != earlier)
        #expect(!DomesticToken(keys: try SigningKeys([new])).isRight(earlier, domain: "a.org", chain: chain))
        #expect(!rotated.isRight(earlier, domain: "b.org", chain: chain))
        #expect(SignedFields.message("p", [1], [2, 3]) != SignedFields.message("p", [1, 2], [3]))
    }
}
