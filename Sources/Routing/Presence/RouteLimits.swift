/// Limits of one route document (SPEC LC-9). Beyond: a temporary refusal.
package struct RouteLimits: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case client
        case user
        case outbox
        case links
    }

    /// Connections of one client, 64.
    package var perClient: Int
    /// Connections of one user, 256.
    package var perUser: Int
    /// Transitions that wait for their handlers, 1,000: who flaps faster than hooks run must not grow the document.
    package var outbox: Int
    /// Clients in grace, 256: beyond, the one whose time is up first is announced offline before it is. Who comes as ever new
    /// clients must not grow the document.
    package var graces: Int

    /// Link hints, 256 (SPEC LC-1).
    package var links: Int

    package init(
        perClient: Int = 64, perUser: Int = 256, outbox: Int = 1_000, graces: Int = 256, links: Int = 256
    ) {
        self.perClient = perClient
        self.perUser = perUser
        self.outbox = outbox
        self.graces = graces
        self.links = links
    }
}
