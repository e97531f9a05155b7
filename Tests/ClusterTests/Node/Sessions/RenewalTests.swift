import Routing
import Testing

@testable import Node

@Suite("ID-9: renewal")
struct RenewalTests {
    /// What a browser sends back.
    private static func kept(_ agent: Agent) -> [SetCookie] { agent.cookies.filter { $0.maxAge != 0 } }

    private static func session(_ cookies: [SetCookie]) throws -> SetCookie {
        try #require(cookies.first { $0.name == "__Host-session" })
    }

    @Test(
        "ID-9: a token of age is replaced on the way; chain, login, person and domestic token stay",
        arguments: [true, false])
    func replaced(isRemembered: Bool) async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login(remember: isRemembered)
        let before = try #require(try await node.agent(cookies: cookies).session)
        node.clock.advance(86_400 - 1)
        let young = try await node.agent(cookies: cookies)
        await young.renewIfDue()
        #expect(young.cookies.isEmpty && young.session?.hash == before.hash)
        node.clock.advance(1)
        let token = try #require(cookies.first { $0.name == "__Host-domestic" }).value
        let agent = try await node.agent(cookies: cookies, headers: [("X-Domestic", token)])
        await agent.renewIfDue()
        let after = try #require(agent.session)
        #expect(agent.isActive && agent.isDomestic)
        #expect(after.hash != before.hash && after.predecessor == before.hash && after.chain == before.chain)
        #expect(after.login == before.login && after.created == node.clock.now && after.activity == node.clock.now)
        #expect((after.user, after.client, after.domain) == (before.user, before.client, before.domain))
        #expect(after.isRemembered == isRemembered && after.isValid)
        #expect(try await node.store.inner.find(after.hash) == after)
        let kept = Self.kept(agent)
        #expect(kept.map(\.name) == ["__Host-session", "__Host-domestic"])
        #expect(kept.last?.value == token, "constant along a chain, so that tabs do not desynchronise (ID-2)")
        #expect(kept.allSatisfy { $0.maxAge == (isRemembered ? 365 * 86_400 : nil) })
        #expect(try await node.agent(cookies: kept).isActive)
    }

    @Test("ID-9: requests on several nodes at once come to one successor and set the same cookies")
    func concurrent() async throws {
        let first = NodeTestIdentity()
        let nodes = [first, NodeTestIdentity(beside: first), NodeTestIdentity(beside: first)]
        let cookies = try await first.login()
        first.clock.advance(86_400)
        let values = try await withThrowingTaskGroup(of: [String].self) { group in
            for index in 0..<48 {
                group.addTask {
                    let agent = try await nodes[index % 3].agent(cookies: cookies)
                    await agent.renewIfDue()
                    return agent.cookies.map(\.text)
                }
            }
            return try await group.reduce(into: Set<[String]>()) { $0.insert($1) }
        }
        #expect(values.count == 1 && values.first?.isEmpty == false)
    }

    @Test("ID-9: a lost answer is no loss: the old token is good, and the next answer brings the same cookies")
    func lostAnswers() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        node.clock.advance(86_400)
        let lost = try await node.agent(cookies: cookies)
        await lost.renewIfDue()
        node.clock.advance(86_400)
        let again = try await node.agent(cookies: cookies)
        #expect(again.isActive)
        await again.renewIfDue()
        #expect(again.cookies.map(\.text) == lost.cookies.map(\.text))
    }

    @Test(
        "ID-9, ID-6: the old token is good until the successor is presented, and for the grace; on every node, cached or not",
        arguments: [true, false])
    func grace(cached: Bool) async throws {
        var options = SessionOptions()
        if !cached { options.cacheSessions = 0 }
        let node = NodeTestIdentity(options)
        let other = NodeTestIdentity(options, beside: node)
        let old = try await node.login()
        let hash = try #require(try await node.agent(cookies: old).session?.hash)
        node.clock.advance(86_400)
        let agent = try await node.agent(cookies: old)
        await agent.renewIfDue()
        node.clock.advance(3_600)
        #expect(try await other.agent(cookies: old).isActive)
        #expect(try await node.store.inner.find(hash)?.successorPresented == nil)
        #expect(try await node.agent(cookies: Self.kept(agent)).isActive)
        await node.pool.settle()
        let presented = node.clock.now
        #expect(try await node.store.inner.find(hash)?.successorPresented == presented)
        for (pause, isActive) in [(60.0, true), (60, true), (0.001, false), (3_600, false)] {
            node.clock.advance(pause)
            #expect(try await node.agent(cookies: Self.kept(agent)).isActive)
            // What a node holds for good may be 2 s old (ID-15).
            node.clock.advance(pause == 0.001 ? 2 : 0)
            for node in [node, other] { #expect(try await node.agent(cookies: old).isActive == isActive, "\(pause)") }
        }
        await node.pool.settle()
        #expect(try await node.store.inner.find(hash)?.successorPresented == presented, "noted once")
    }

    @Test("ID-9: the note of a presentation is written once for many requests, and again where it failed")
    func noted() async throws {
        let node = NodeTestIdentity()
        let old = try await node.login()
        node.clock.advance(86_400)
        let agent = try await node.agent(cookies: old)
        await agent.renewIfDue()
        node.store.fail("noteSuccessorPresented", 1)
        for (requests, writes) in [(1, 1), (20, 2), (20, 2)] {
            for _ in 0..<requests {
                _ = try await node.agent(cookies: Self.kept(agent))
                await node.pool.settle()
            }
            #expect(node.store.counts.presentations == writes)
        }
        // A reading that confirms the entry does not ask for it again.
        node.clock.advance(15)
        _ = try await node.agent(cookies: Self.kept(agent))
        await node.pool.settle()
        #expect(node.store.counts.presentations == 2)
    }

    @Test(
        "ID-9: a session that was invalidated is not renewed; one that is while it is renewed ends, with its successor")
    func invalidated() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        node.clock.advance(86_400)
        let late = try await node.agent(cookies: cookies)
        let other = try await node.agent(cookies: cookies)
        try await node.authority.revocation.revokeAll(
            Invalidation(domain: "example.org", user: "alice", client: nil, reason: .logout))
        await late.renewIfDue()
        #expect(late.isIdle && late.cookies.isEmpty)
        #expect(try await node.store.inner.find(try #require(other.session).hash)?.renewal == nil)

        // The logout comes between the beginning and the insertion.
        let again = try await node.login()
        node.clock.advance(86_400)
        let agent = try await node.agent(cookies: again)
        let record = try #require(agent.session)
        let secret = try #require(SessionSecret(try Self.session(again).value))
        let machine = SessionMachine(node.options)
        var renewal = RenewalMachine(record, secret, keys: node.keys.current, machine: machine, now: node.clock.now)
        guard case .begin(let hash, let proposal) = renewal.start(nonce: [UInt8](repeating: 7, count: 32)),
            case .insert(let successor) = renewal.began(try await node.store.inner.beginRenewal(hash, proposal))
        else { throw StoreError(.rejected, operation: "test", message: "no renewal") }
        try await node.authority.revocation.revokeAll(
            Invalidation(domain: "example.org", user: "alice", client: nil, reason: .logout))
        try await node.store.inner.insert(successor)
        guard case .confirm(let old) = renewal.inserted(),
            case .invalidate(successor.hash) = renewal.confirmed(try await node.store.inner.findLatest(old))
        else { throw StoreError(.rejected, operation: "test", message: "not invalidated") }
    }

    @Test(
        "ID-9: whatever the store fails at, the session stays good and the next request tries again",
        arguments: ["beginRenewal", "insert", "findLatest"])
    func storeFails(operation: String) async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        node.clock.advance(86_400)
        node.store.fail(operation, 1)
        let agent = try await node.agent(cookies: cookies)
        await agent.renewIfDue()
        #expect(agent.isActive && agent.cookies.isEmpty)
        let next = try await node.agent(cookies: cookies)
        await next.renewIfDue()
        #expect(next.isActive && !next.cookies.isEmpty)
    }

    @Test(
        "ID-9, ID-2: keys rotate: a renewal that began with an older key ends the same everywhere; a removed key derives nothing"
    )
    func keys() async throws {
        let (old, new) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        let node = NodeTestIdentity(keys: try SigningKeys([old]))
        let rotated = NodeTestIdentity(beside: node, keys: try SigningKeys([new, old]))
        let cookies = try await node.login()
        node.clock.advance(86_400)
        let first = try await node.agent(cookies: cookies)
        await first.renewIfDue()
        let second = try await rotated.agent(cookies: cookies)
        await second.renewIfDue()
        #expect(try Self.session(second.cookies) == Self.session(first.cookies))
        let removed = NodeTestIdentity(beside: node, keys: try SigningKeys([new]))
        let domestic = try #require(cookies.first { $0.name == "__Host-domestic" }).value
        let third = try await removed.agent(cookies: cookies, headers: [("X-Domestic", domestic)])
        await third.renewIfDue()
        #expect(third.isActive && third.cookies.isEmpty && !third.isDomestic)
        #expect(try await removed.agent(cookies: Self.kept(first)).isActive, "tokens themselves need no key")
    }

    @Test("ID-6: a superseded token is a guest's; by option its presentation ends the chain", arguments: [true, false])
    func superseded(revokes: Bool) async throws {
        var options = SessionOptions()
        options.revokesSupersededChains = revokes
        let node = NodeTestIdentity(options)
        let stolen = try await node.login()
        let elsewhere = try await node.login("alice", "phone")
        node.clock.advance(86_400)
        let agent = try await node.agent(cookies: stolen)
        await agent.renewIfDue()
        let chain = try #require(agent.session?.chain)
        #expect(try await node.agent(cookies: Self.kept(agent)).isActive)
        await node.pool.settle()
        node.clock.advance(123)
        #expect(try await node.agent(cookies: stolen).isGuest)
        await node.pool.settle()
        #expect(try await node.agent(cookies: Self.kept(agent)).standing == (revokes ? .idle : .active))
        #expect(try await node.agent(cookies: elsewhere).isActive, "another login of the same device is another chain")
        #expect(node.log.now.invalidations.map(\.chain) == (revokes ? [chain] : []))
    }

    @Test("ID-10: a login ends every token of the presented chain, also the one that is in its grace")
    func loginEndsChain() async throws {
        let node = NodeTestIdentity()
        let old = try await node.login()
        node.clock.advance(86_400)
        let renewed = try await node.agent(cookies: old)
        await renewed.renewIfDue()
        let agent = try await node.agent(cookies: Self.kept(renewed))
        try await agent.setActive(user: "bob", client: "phone")
        #expect(try await node.agent(cookies: old).isIdle)
        #expect(try await node.agent(cookies: Self.kept(renewed)).isIdle)
        #expect(try await node.agent(cookies: Self.kept(agent)).isActive)
    }
}
