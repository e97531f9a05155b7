import Routing
import Testing

@testable import Node

@Suite("ID-8, ID-16: what holds an open socket")
struct SocketHoldTests {
    private static func opened(_ node: NodeTestIdentity) async throws -> (cookies: [SetCookie], record: SessionRecord) {
        let cookies = try await node.login()
        return (cookies, try #require(try await node.agent(cookies: cookies).session))
    }

    @Test("ID-16: age and inactivity do not cut an open socket, the end of the login does, to the millisecond")
    func lifetimes() async throws {
        let node = NodeTestIdentity()
        let (_, record) = try await Self.opened(node)
        func holds() async throws -> Bool { try await node.authority.holdsSockets(record.hash, in: "example.org") }
        node.clock.advance(86_400 * 13)
        #expect(try await holds(), "past sessionLifespan and sessionRenewalTimeout")
        node.clock.advance(86_400 - 0.001)
        #expect(try await holds())
        node.clock.advance(0.001)
        #expect(try await !holds())
        let warrant = node.authority.warrant(of: record)
        #expect(warrant.ask == record.created + 86_400_000)
        #expect(warrant.end == record.login + 14 * 86_400_000)
        var endless = SessionOptions()
        endless.loginLifespan = 0
        #expect(NodeTestIdentity(endless).authority.warrant(of: record).end == .max)
    }

    @Test("ID-13: an invalidated session, or another domain's, holds nothing")
    func invalidated() async throws {
        let node = NodeTestIdentity()
        let (_, record) = try await Self.opened(node)
        #expect(try await !node.authority.holdsSockets(record.hash, in: "other.org"))
        #expect(try await node.authority.hold(of: record.hash, in: "example.org") != nil)
        try await node.revocation.revokeAll(
            Invalidation(domain: "example.org", user: "alice", client: nil, reason: .logout))
        #expect(try await !node.authority.holdsSockets(record.hash, in: "example.org"))
        #expect(try await node.authority.hold(of: record.hash, in: "example.org") == nil)
    }

    @Test("ID-8: an open connection is activity: a session that is only held by a socket stays renewable")
    func activity() async throws {
        let node = NodeTestIdentity()
        let (cookies, record) = try await Self.opened(node)
        for _ in 0..<(5 * 24) {
            node.clock.advance(3_600)
            for _ in 0..<3 {
                #expect(try await node.authority.hold(of: record.hash, in: "example.org") != nil)
                await node.pool.settle()
            }
        }
        #expect(node.store.counts.touches == 5 * 24, "once per look and resolution, however many sockets")
        #expect(try await node.store.inner.find(record.hash)?.activity == node.clock.now)
        // Five days later, and nobody has made a request meanwhile.
        #expect(try await node.agent(cookies: cookies).isActive)
    }

    @Test("ID-9, ID-16: once the browser has a successor, the socket is held by that, and is activity of that")
    func follows() async throws {
        let node = NodeTestIdentity()
        let (cookies, record) = try await Self.opened(node)
        node.clock.advance(86_400)
        let agent = try await node.agent(cookies: cookies)
        await agent.renewIfDue()
        let successor = try #require(agent.session)
        let before = try #require(try await node.authority.hold(of: record.hash, in: "example.org"))
        #expect(before.session.hash == record.hash, "nobody has presented it yet")
        #expect(try await node.agent(cookies: agent.cookies.filter { $0.maxAge != 0 }).isActive)
        await node.pool.settle()
        node.clock.advance(3)
        let after = try #require(try await node.authority.hold(of: record.hash, in: "example.org"))
        #expect(after.session == .init(hash: successor.hash, chain: record.chain))
        #expect(after.warrant == node.authority.warrant(of: successor))
        // Long after its grace the old token is a guest's; a socket that it has opened stays.
        node.clock.advance(3_600)
        #expect(try await node.agent(cookies: cookies).isGuest)
        #expect(try await node.authority.holdsSockets(record.hash, in: "example.org"))
        _ = try await node.authority.hold(of: record.hash, in: "example.org")
        await node.pool.settle()
        #expect(try await node.store.inner.find(successor.hash)?.activity == node.clock.now)
    }
}
