import Foundation
import Node

/// Who people are: registration, login, devices.
struct Accounts: Sendable {
    let station: Station
    let journal: Journal
    let passwords: Passwords
    /// The node's name.
    let node: String

    struct Credentials: Codable, Sendable {
        let name: String
        let password: String
        let device: String

        func check() throws {
            guard (1...32).contains(self.name.utf8.count),
                self.name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
            else { throw ActionError(400, "NAME") }
            guard (8...256).contains(self.password.utf8.count) else { throw ActionError(400, "SHORT") }
            guard (1...64).contains(self.device.utf8.count) else { throw ActionError(400, "DEVICE") }
        }
    }

    func install() {
        self.station.action(.get, "/me") { _, agent, reply in
            reply.content(["standing": agent.standing.rawValue, "name": agent.user, "device": agent.client])
            reply.content(["node": self.node])
        }
        self.station.action(.post, "/register", body: Credentials.self) { who, _, agent, reply in
            try who.check()
            let isTaken = ActionError(409, "TAKEN")
            // Before the work of a hash; and again with the file locked, as somebody may have been faster.
            guard try await self.journal.board().accounts[who.name] == nil else { throw isTaken }
            let password = try await self.passwords.make(who.password)
            try await self.journal.change { board in
                guard board.accounts[who.name] == nil else { throw isTaken }
                return ([.registered(name: who.name, password: password)], ())
            }
            try await self.enter(who, agent)
            reply.content(["name": who.name])
            reply.done(201)
        }
        self.station.action(.post, "/login", body: Credentials.self) { who, _, agent, reply in
            let now = Int64(Date().timeIntervalSince1970 * 1_000)
            let board = try await self.journal.board()
            guard !board.isLocked(who.name, at: now) else { throw ActionError(429, "LOCKED") }
            guard try await self.passwords.isRight(who.password, board.accounts[who.name]?.password) else {
                try await self.journal.change { board in
                    (board.accounts[who.name] == nil ? [] : [.mistaken(name: who.name, at: now)], ())
                }
                throw ActionError(403, "PASSWORD")
            }
            try who.check()
            try await self.enter(who, agent)
            reply.content(["name": who.name])
        }
        self.station.action(.post, "/logout", requires: [.loggedIn, .domestic]) { _, agent, _ in
            try await self.leave(agent, device: nil)
        }
        self.station.action(.delete, "/devices/:name", requires: [.loggedIn, .domestic]) { request, agent, _ in
            try await self.leave(agent, device: request.params["name"])
        }
    }

    /// A session of this person on this device, on every node.
    private func enter(_ who: Credentials, _ agent: Agent) async throws {
        try await agent.setActive(user: who.name, client: who.device)
        try await self.tell(who.name, agent.domain, [.entered(name: who.name, device: who.device)])
    }

    /// Ends the sessions of one device, or of all, and their connections with them, on whichever nodes they are.
    private func leave(_ agent: Agent, device: String?) async throws {
        guard let name = agent.user else { return }
        try await agent.logout(client: device)
        try await self.tell(name, agent.domain, [.left(name: name, device: device)])
    }

    private func tell(_ name: String, _ domain: String, _ events: [BoardEvent]) async throws {
        try await self.journal.change { _ in (events, ()) }
        let devices = try await self.journal.board().accounts[name]?.devices ?? []
        try await self.station.send(to: name, domain: domain, "devices", devices)
    }
}
