/// One side of a Link: all connections of a user, or of one device of it (SPEC §1, LK-1).
package struct LinkParty: Hashable, Sendable, Comparable {
    package let user: String
    /// nil: every client of the user.
    package let client: String?

    package init(user: String, client: String?) {
        self.user = user
        self.client = client
    }

    package func has(_ connection: RouteDocument.Connection) -> Bool {
        self.client == nil || self.client == connection.client
    }

    package func has(user: String, client: String) -> Bool {
        self.user == user && (self.client == nil || self.client == client)
    }

    /// The canonical order (SPEC LK-2): by bytes, which is the same for every program.
    package static func < (left: LinkParty, right: LinkParty) -> Bool {
        if left.user != right.user { return left.user.utf8.lexicographicallyPrecedes(right.user.utf8) }
        return (left.client ?? "").utf8.lexicographicallyPrecedes((right.client ?? "").utf8)
    }
}
