package import Wire

/// The stored Link between two parties (SPEC LK-2). Hints in routes are only an index; this decides (LK-5).
package struct LinkRecord: Sendable, Equatable {
    package enum State: String, Sendable {
        /// Being opened; finished by a repeated request, or closed by the sweeper.
        case opening
        case open
        case closed
    }

    package struct Side: Sendable, Equatable {
        package var party: LinkParty
        /// JSON: what the *other* side knows this one by (SPEC LK-6).
        package var label: String

        package init(party: LinkParty, label: String) {
            self.party = party
            self.label = label
        }
    }

    /// How long a closed one is kept, in milliseconds: a day (SPEC LK-14).
    package static let closedLifespan: Int64 = 24 * 3_600 * 1_000

    package let key: LinkKey
    package var domain: String
    /// Two, in canonical order.
    package var sides: [Side]
    package var state: State
    package var token: LinkToken
    /// Raised with every opening. The first one is the cluster's time in seconds, so that it never falls back where a closed
    /// record has expired.
    package var generation: Int64
    /// When it was written last, in milliseconds of the primary's clock.
    package var changed: Int64
    /// Why it was closed; nil while it is not.
    package var reason: LinkCloseReason?

    package init(
        domain: String, sides: [Side], state: State, token: LinkToken, generation: Int64, changed: Int64,
        reason: LinkCloseReason? = nil
    ) {
        precondition(sides.count == 2, "a Link has two sides")
        self.key = token.key
        self.domain = domain
        self.sides = sides
        self.state = state
        self.token = token
        self.generation = generation
        self.changed = changed
        self.reason = reason
    }

    /// When the record goes; nil while the Link is not closed.
    package var expires: Int64? { self.state == .closed ? self.changed + Self.closedLifespan : nil }

    /// Both sides are the same party: the tabs of one user, or of one device.
    package var isWithinParty: Bool { self.sides[0].party == self.sides[1].party }

    /// The sides that a connection is on: none, one, or both where it belongs to both.
    package func sides(of user: String, client: String, in domain: String) -> [Int] {
        guard domain == self.domain else { return [] }
        return [0, 1].filter { self.sides[$0].party.has(user: user, client: client) }
    }

    package func key(of side: Int) -> RouteKey { RouteKey(domain: self.domain, user: self.sides[side].party.user) }

    /// What a connection on `side` knows the other side by.
    package func label(seenFrom side: Int) -> String { self.sides[1 - side].label }

    package func hint(of side: Int) -> LinkHint {
        LinkHint(key: self.key, generation: self.generation, client: self.sides[side].party.client)
    }

    /// One per document and party: a Link within a party has one.
    package var hints: [(key: RouteKey, hint: LinkHint)] {
        (self.isWithinParty ? [0] : [0, 1]).map { (self.key(of: $0), self.hint(of: $0)) }
    }
}

/// One compare-and-set on a Link (SPEC LK-4).
package struct LinkWrite: Sendable, Equatable {
    package struct Expected: Sendable, Equatable {
        package var token: LinkToken
        package var state: LinkRecord.State

        package init(_ record: LinkRecord) {
            self.token = record.token
            self.state = record.state
        }
    }

    /// What must be stored; nil: nothing.
    package var expected: Expected?
    package var new: LinkRecord

    package init(expected: Expected?, new: LinkRecord) {
        self.expected = expected
        self.new = new
    }

    package func fits(_ stored: LinkRecord?) -> Bool { stored.map { Expected($0) } == self.expected }
}
