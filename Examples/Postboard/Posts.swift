import Foundation
import Node

/// What people write, and what a page shows first.
struct Posts: Sendable {
    let station: Station
    let journal: Journal
    let friends: Friends
    /// The node's name, which pages show.
    let node: String

    /// Posts that a page gets.
    private static let shown = 100

    struct Draft: Codable, Sendable {
        let text: String
    }

    private struct Page: Codable, Sendable {
        let name: String
        let device: String
        let devices: [String]
        let node: String
        let posts: [Post]
        let friends: [Friends.Friend]
    }

    func install() {
        self.station.action(.get, "/board", requires: [.loggedIn]) { _, agent, reply in
            guard let name = agent.user, let device = agent.client else { return }
            let board = try await self.journal.board()
            reply.content(
                Page(
                    name: name, device: device, devices: board.accounts[name]?.devices ?? [], node: self.node,
                    posts: board.posts(for: name, limit: Self.shown),
                    friends: try await self.friends.list(of: name, in: board, domain: agent.domain)))
        }
        // The page chooses the id, so that a repeated request changes nothing.
        self.station.action(.put, "/posts/:id", requires: [.loggedIn, .domestic], body: Draft.self) {
            draft, request, agent, reply in
            guard let author = agent.user, let id = request.params["id"], UUID(uuidString: id) != nil else {
                throw ActionError(400, "ID")
            }
            let text = draft.text.trimmingCharacters(in: .whitespacesAndNewlines)
            guard (1...2_000).contains(text.utf8.count) else { throw ActionError(400, "TEXT") }
            let post = Post(id: id, author: author, text: text, at: Int64(Date().timeIntervalSince1970 * 1_000))
            let kept = try await self.journal.change { board in
                guard let old = board.posts[id] else { return ([.posted(post)], post) }
                guard old.author == author, old.text == text else { throw ActionError(409, "TAKEN") }
                return ([], old)
            }
            try await self.friends.tell(author, agent.domain, "post", kept)
            reply.content(kept)
        }
        self.station.action(.delete, "/posts/:id", requires: [.loggedIn, .domestic]) { request, agent, _ in
            guard let author = agent.user, let id = request.params["id"] else { return }
            try await self.journal.change { board in
                guard let post = board.posts[id] else { throw ActionError(404, "NOT_FOUND") }
                guard post.author == author else { throw ActionError(403, "OWNER") }
                return ([.withdrawn(id: id)], ())
            }
            try await self.friends.tell(author, agent.domain, "withdrawn", id)
        }
        self.station.on(.liveConnection) { _, reply in reply.event("here", self.node) }
    }
}
