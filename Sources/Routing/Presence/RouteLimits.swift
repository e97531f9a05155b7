/// Limits of one route document (SPEC LC-9). Beyond: a temporary refusal.
package struct RouteLimits: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case client
        case user
        case outbox
    }

    /// Connections of one client, 64.
    package var perClient: Int
    /// Connections of one user, 256.
    package var perUser: Int
    /// Transitions that wait for their handlers, 1,000: who flaps faster than hooks run must not grow the document.
    package var outbox: Int

    package init(perClient: Int = 64, perUser: Int = 256, outbox: Int = 1_000) {
        self.perClient = perClient
        self.perUser = perUser
        self.outbox = outbox
    }
}
