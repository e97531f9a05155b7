import Routing

/// The Links of somebody (`GET /v1/links`). Their tokens stay where they are.
struct LinksAnswer: Encodable, Sendable {
    struct Party: Encodable, Sendable {
        let user: String
        /// nil: all devices.
        let client: String?

        init(_ party: LinkParty) {
            self.user = party.user
            self.client = party.client
        }
    }

    struct Link: Encodable, Sendable {
        /// Of the one who is asked about.
        let own: Party
        let other: Party
        /// `opening` or `open`.
        let state: String
        /// Milliseconds since 1970: when it was opened, or its labels changed.
        let changed: Int64
    }

    let links: [Link]

    /// - Parameter records: of Links that the user is a party of.
    init(_ records: [LinkRecord], of key: RouteKey, client: String?) {
        self.links = records.filter { $0.state != .closed && $0.domain == key.domain }.flatMap { record in
            record.sides.indices.compactMap { side -> Link? in
                let own = record.sides[side].party
                guard own.user == key.user, client == nil || own.client == nil || own.client == client,
                    !record.isWithinParty || side == 0
                else { return nil }
                return Link(
                    own: Party(own), other: Party(record.sides[1 - side].party), state: record.state.rawValue,
                    changed: record.changed)
            }
        }
    }
}
