import Logging
import NIOCore
import Routing
import Testing

@testable import Node

@Suite struct SessionTicketsTests {
    private let identity = NodeTestIdentity()
    private let store: InMemoryTicketStore
    private let tickets: SessionTickets

    init() {
        let clock = self.identity.clock
        self.store = InMemoryTicketStore(time: { clock.now })
        self.tickets = SessionTickets(
            store: self.store, options: SessionOptions(), now: { clock.now },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// The agent of an action over a socket of this session.
    private func socketAgent(_ session: SessionRecord, _ turn: ActionTurn = ActionTurn()) async throws -> Agent {
        try await self.identity.authority.agent(
            ofSocket: session.hash, in: session.domain, isDomestic: true, originIsOwn: true, address: "192.0.2.7",
            userAgent: nil,
            willChange: { turn.noteChange() })
    }

    private struct Change {
        let old: [SetCookie]
        let chain: [UInt8]
        let new: [SetCookie]
        let ticket: String
    }

    /// Logs in over HTTP, logs in anew over a socket, and gets a ticket for that.
    private func change(user: String? = nil) async throws -> Change {
        let old = try await self.identity.login()
        let session = try #require(try await self.identity.agent(cookies: old).session)
        let agent = try await self.socketAgent(session)
        try await agent.setActive(user: user)
        return Change(
            old: old, chain: session.chain, new: agent.cookies,
            ticket: try await self.tickets.issue(for: agent, chain: session.chain, socket: "n.s"))
    }

    private func redeem(
        _ ticket: String, socket: String = "n.s", cookies: [SetCookie], domain: String = "example.org",
        origin: DomainTable.OriginStanding = .own
    ) async throws -> (session: SessionTickets.Session, cookies: [SetCookie]) {
        let agent = try await self.identity.agent(cookies: cookies, domain: domain, origin: origin)
        return (try await self.tickets.redeem(ticket, socket: socket, for: agent), agent.cookies)
    }

    @Test("ID-17: whoever has the ticket and the old session gets the very cookies that the action owed, once")
    func redeemed() async throws {
        let change = try await self.change()
        let (session, cookies) = try await self.redeem(change.ticket, cookies: change.old)
        #expect(cookies == change.new)
        #expect(session == .init(standing: .active, user: "alice", client: "phone"))
        let fresh = try await self.identity.agent(cookies: cookies.filter { $0.maxAge != 0 })
        #expect(fresh.isActive)
        #expect(fresh.session?.chain != change.chain, "a new chain (ID-10)")
        await #expect(throws: SessionTickets.Refusal.used) { try await self.redeem(change.ticket, cookies: change.old) }
    }

    @Test("ID-17: two who redeem a ticket at once: one gets the cookies")
    func atOnce() async throws {
        let change = try await self.change()
        let outcomes = await withTaskGroup(of: String.self, returning: [String: Int].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    do {
                        return try await self.redeem(change.ticket, cookies: change.old).cookies.isEmpty
                            ? "none" : "some"
                    } catch {
                        return "\(error)"
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(outcomes == ["some": 1, "used": 7])
    }

    @Test(
        "ID-17: expiry, another domain, session, socket or origin, and forgeries are refused by name, and spoil nothing"
    )
    func refused() async throws {
        let change = try await self.change()
        let (ticket, old) = (change.ticket, change.old)
        let stranger = try await self.identity.login("bob", "laptop")
        let elsewhere = try await self.identity.login(domain: "other.example")
        await #expect(throws: SessionTickets.Refusal.foreign) {
            try await self.redeem(ticket, cookies: old, origin: .foreign)
        }
        await #expect(throws: SessionTickets.Refusal.domain) {
            try await self.redeem(ticket, cookies: elsewhere, domain: "other.example")
        }
        await #expect(throws: SessionTickets.Refusal.session) { try await self.redeem(ticket, cookies: stranger) }
        await #expect(throws: SessionTickets.Refusal.session) { try await self.redeem(ticket, cookies: []) }
        await #expect(throws: SessionTickets.Refusal.socket) {
            try await self.redeem(ticket, socket: "n.other", cookies: old)
        }
        for forged in ["", "x", String(ticket.dropLast()), ticket + "A", SessionTicket.random().text] {
            await #expect(throws: SessionTickets.Refusal.unknown) { try await self.redeem(forged, cookies: old) }
        }
        self.identity.clock.advance(60)
        await #expect(throws: SessionTickets.Refusal.expired) { try await self.redeem(ticket, cookies: old) }
    }

    @Test("ID-17: a moment before its end it is as good as ever")
    func inTime() async throws {
        let change = try await self.change()
        self.identity.clock.advance(59.999)
        let outcome = try await self.redeem(change.ticket, cookies: change.old)
        #expect(outcome.cookies == change.new)
    }

    @Test("ID-17: neither the ticket nor a cookie can be read from what is stored, and no other ticket opens it")
    func sealed() async throws {
        let change = try await self.change()
        let ticket = try #require(SessionTicket(change.ticket))
        let record = try #require(try await self.store.find(ticket.hash))
        let stored = record.id + record.sealed + record.chain + Array(record.socket.utf8)
        for secret in [change.ticket, String(change.ticket.dropLast())] + change.new.map(\.value) where !secret.isEmpty
        {
            #expect(!stored.holds(Array(secret.utf8)))
        }
        let context = SignedFields.message("ticket/v1", Array("example.org".utf8), change.chain, Array("n.s".utf8))
        #expect(ticket.open(record.sealed, for: context) != nil)
        #expect(SessionTicket.random().open(record.sealed, for: context) == nil)
        let other = SignedFields.message("ticket/v1", Array("example.net".utf8), change.chain, Array("n.s".utf8))
        #expect(ticket.open(record.sealed, for: other) == nil)
        #expect("\(ticket)" == "SessionTicket(withheld)")
    }

    @Test("ID-12, ID-17: a logout over a socket takes the cookies away by its ticket")
    func logout() async throws {
        let old = try await self.identity.login()
        let session = try #require(try await self.identity.agent(cookies: old).session)
        let turn = ActionTurn()
        let agent = try await self.socketAgent(session, turn)
        #expect(!turn.changesSession)
        try await agent.logout()
        #expect(turn.changesSession)
        let ticket = try await self.tickets.issue(for: agent, chain: session.chain, socket: "n.s")
        let (state, cookies) = try await self.redeem(ticket, cookies: old)
        #expect(state == .init(standing: .guest, user: nil, client: nil))
        #expect(cookies.filter { $0.maxAge == 0 }.map(\.name) == ["__Host-session", "__Host-domestic"])
    }

    @Test("ID-16: a socket's session counts until its login ends or it is invalidated, not until it would be renewed")
    func authority() async throws {
        var options = SessionOptions()
        options.cacheSessions = 0
        let identity = NodeTestIdentity(options)
        let session = try #require(try await identity.agent(cookies: try await identity.login()).session)
        func standing() async throws -> Agent.Standing {
            try await identity.authority.agent(
                ofSocket: session.hash, in: session.domain, isDomestic: true, originIsOwn: true, address: "",
                userAgent: nil,
                willChange: {}
            ).standing
        }
        #expect(try await standing() == .active)
        // Replaced by another tab, and that longer ago than the grace.
        try await identity.store.inner.noteSuccessorPresented(
            session.hash, successor: session.hash, at: identity.clock.now)
        identity.clock.advance(4 * 86_400)
        #expect(try await standing() == .active)
        identity.clock.advance(10 * 86_400)
        #expect(try await standing() != .active)
    }

    @Test("AC-1: a session that has ended meanwhile is refused, and activity is noted (ID-8)")
    func ended() async throws {
        let session = try #require(try await self.identity.agent(cookies: try await self.identity.login()).session)
        self.identity.clock.advance(600)
        #expect(try await self.socketAgent(session).isActive)
        await self.identity.pool.settle()
        #expect(try await self.identity.store.inner.find(session.hash)?.activity == self.identity.clock.now)
        try await self.identity.revocation.revokeAll(
            Invalidation(domain: session.domain, user: session.user, client: nil, reason: .logout))
        let agent = try await self.socketAgent(session)
        #expect(agent.isIdle)
        #expect(ActionRequirements.loggedIn.complaint(about: agent)?.status == 403)
    }
}

extension [UInt8] {
    fileprivate func holds(_ part: [UInt8]) -> Bool {
        guard part.count <= self.count else { return false }
        return (0...(self.count - part.count)).contains { self[$0..<($0 + part.count)].elementsEqual(part) }
    }
}
