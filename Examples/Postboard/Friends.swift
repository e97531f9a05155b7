import Node

/// Who knows whom, and who is there.
struct Friends: Sendable {
    let station: Station
    let journal: Journal

    struct Friend: Codable, Sendable, Equatable {
        let name: String
        /// nil: no longer anything.
        let bond: Board.Bond?
        let isOnline: Bool
    }

    func install() {
        self.station.action(.put, "/friends/:name", requires: [.loggedIn, .domestic]) { request, agent, _ in
            try await self.change(request, agent) { board, name, other in
                guard board.accounts[other] != nil, other != name else { throw ActionError(404, "NOBODY") }
                switch board.bond(of: name, with: other) {
                case .asks: return [.befriended(name: name, other: other)]
                case .asked, .friend: return []
                case nil: return [.asked(name: name, other: other)]
                }
            }
        }
        self.station.action(.delete, "/friends/:name", requires: [.loggedIn, .domestic]) { request, agent, _ in
            try await self.change(request, agent) { board, name, other in
                board.bond(of: name, with: other) == nil ? [] : [.parted(name: name, other: other)]
            }
        }
        for (change, isOnline) in [(Presence.Change.userOnline, true), (.userOffline, false)] {
            self.station.on(change) { presence in
                let friends = try await self.journal.board().friends(of: presence.user)
                try await self.station.send(to: friends, domain: presence.domain, "presence", presence.user, isOnline)
            }
        }
    }

    /// Everybody that somebody has to do with; whether they are there, of friends only.
    func list(of name: String, in board: Board, domain: String) async throws -> [Friend] {
        var list: [Friend] = []
        for (other, bond) in board.bonds(of: name) {
            let isOnline = bond == .friend ? try await self.station.isActive(user: other, domain: domain) : false
            list.append(Friend(name: other, bond: bond, isOnline: isOnline))
        }
        return list
    }

    /// To every tab and device of somebody and of their friends.
    func tell(_ name: String, _ domain: String, _ event: String, _ argument: any Encodable & Sendable) async throws {
        let audience = try await self.journal.board().friends(of: name) + [name]
        try await self.station.send(to: audience, domain: domain, event, argument)
    }

    private func change(
        _ request: ActionRequest, _ agent: Agent,
        _ decide: @escaping @Sendable (Board, _ name: String, _ other: String) throws -> [BoardEvent]
    ) async throws {
        guard let name = agent.user, let other = request.params["name"] else { return }
        try await self.journal.change { board in (try decide(board, name, other), ()) }
        let board = try await self.journal.board()
        for (one, two) in [(name, other), (other, name)] {
            let bond = board.bond(of: one, with: two)
            let isOnline = bond == .friend ? try await self.station.isActive(user: two, domain: agent.domain) : false
            try await self.station.send(
                to: one, domain: agent.domain, "friend", Friend(name: two, bond: bond, isOnline: isOnline))
        }
    }
}
