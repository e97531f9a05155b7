import Foundation

/// What people have written and agreed on: a value that only events change, so that every node that has read the same
/// journal has the same board.
struct Board: Sendable, Equatable {
    struct Account: Sendable, Equatable {
        var password: Password
        var devices: [String] = []
        /// When somebody gave a wrong password, in milliseconds since 1970: those of the last quarter of an hour.
        var mistakes: [Int64] = []
    }

    /// How two people stand.
    enum Bond: String, Codable, Sendable {
        /// I have asked; I am asked; we are friends.
        case asked, asks, friend
    }

    static let mistakesAllowed = 10
    static let patience: Int64 = 15 * 60 * 1_000

    private(set) var accounts: [String: Account] = [:]
    private(set) var posts: [String: Post] = [:]
    private var bonds: [String: [String: Bond]] = [:]

    mutating func apply(_ event: BoardEvent) {
        switch event {
        case .registered(let name, let password): self.accounts[name] = Account(password: password)
        case .mistaken(let name, let at):
            let recent = self.accounts[name]?.mistakes.filter { at - $0 < Self.patience } ?? []
            self.accounts[name]?.mistakes = recent + [at]
        case .entered(let name, let device):
            self.accounts[name]?.mistakes = []
            self.accounts[name]?.devices.removeAll { $0 == device }
            self.accounts[name]?.devices.append(device)
        case .left(let name, let device):
            self.accounts[name]?.devices.removeAll { device == nil || $0 == device }
        case .posted(let post): self.posts[post.id] = post
        case .withdrawn(let id): self.posts[id] = nil
        case .asked(let name, let other):
            self.bonds[name, default: [:]][other] = .asked
            self.bonds[other, default: [:]][name] = .asks
        case .befriended(let name, let other):
            self.bonds[name, default: [:]][other] = .friend
            self.bonds[other, default: [:]][name] = .friend
        case .parted(let name, let other):
            self.bonds[name]?[other] = nil
            self.bonds[other]?[name] = nil
        }
    }

    func bond(of name: String, with other: String) -> Bond? { self.bonds[name]?[other] }

    /// By name.
    func bonds(of name: String) -> [(name: String, bond: Bond)] {
        (self.bonds[name] ?? [:]).map { (name: $0.key, bond: $0.value) }.sorted { $0.name < $1.name }
    }

    func friends(of name: String) -> [String] { self.bonds(of: name).filter { $0.bond == .friend }.map(\.name) }

    /// What somebody sees: their own posts and their friends', the newest first.
    func posts(for name: String, limit: Int) -> [Post] {
        let authors = Set(self.friends(of: name) + [name])
        let seen = self.posts.values.filter { authors.contains($0.author) }
        return Array(seen.sorted { ($0.at, $0.id) > ($1.at, $1.id) }.prefix(limit))
    }

    /// Whether too many wrong passwords were given lately.
    func isLocked(_ name: String, at now: Int64) -> Bool {
        let mistakes = self.accounts[name]?.mistakes ?? []
        return mistakes.filter { now - $0 < Self.patience }.count >= Self.mistakesAllowed
    }
}

struct Post: Codable, Sendable, Equatable {
    let id: String
    let author: String
    let text: String
    /// Milliseconds since 1970.
    let at: Int64
}

/// One line of the journal.
enum BoardEvent: Codable, Sendable, Equatable {
    case registered(name: String, password: Password)
    case mistaken(name: String, at: Int64)
    case entered(name: String, device: String)
    /// From one device, or from all.
    case left(name: String, device: String?)
    case posted(Post)
    case withdrawn(id: String)
    case asked(name: String, other: String)
    case befriended(name: String, other: String)
    case parted(name: String, other: String)
}
