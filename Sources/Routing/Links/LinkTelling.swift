import Wire

/// Finds out who is to be told what, step by step (SPEC LK-7, LK-8, LK-11, LK-12, LK-14). Each action is answered by the event of
/// its name.
///
/// Who opens a Link reads the routes once it is noted there, and who joins reads the record behind its own route: so of two
/// that come at once at least one sees the other.
package struct LinkTelling: Sendable {
    package enum Cause: Sendable, Equatable {
        case opened(LinkRecord)
        case closed(LinkRecord)
        /// Connections of the party of a hint have come live, or taken the place of others.
        case joined([RouteDocument.Connection], RouteDocument, LinkHint)
        /// They have gone; the route is without them.
        case left([RouteDocument.Connection], RouteDocument, LinkHint)
    }

    package enum Action: Sendable, Equatable {
        /// → ``recordRead(_:)``
        /// - Parameter isLatest: whether an older state is of no use.
        case readRecord(LinkKey, isLatest: Bool)
        /// → ``routesRead(_:claimed:)``
        case readRoutes([RouteKey])
        /// The hint is stale. → ``unlinked()``, whatever became of it.
        case unlink(RouteKey, LinkKey, through: Int64)
        case finish([LinkMessage])
    }

    private let cause: Cause
    private let members: Int
    private var record: LinkRecord?
    private var isProving = false
    /// Connections that would take part in a Link, but are more than may.
    package private(set) var excess = 0

    /// - Parameter members: connections of one party that take part (SPEC LK-8).
    package init(_ cause: Cause, members: Int = LinkRoster.defaultLimit) {
        self.cause = cause
        self.members = members
    }

    package mutating func begin() -> Action {
        switch self.cause {
        case .opened(let record), .closed(let record):
            self.record = record
            return .readRoutes(record.hints.map(\.key))
        case .joined(_, _, let hint), .left(_, _, let hint): return .readRecord(hint.key, isLatest: false)
        }
    }

    package mutating func recordRead(_ record: LinkRecord?) -> Action {
        let (route, hint): (RouteDocument, LinkHint)
        switch self.cause {
        case .joined(_, let document, let ofParty), .left(_, let document, let ofParty):
            (route, hint) = (document, ofParty)
        case .opened, .closed: preconditionFailure("the record is known")
        }
        // An older state than the hint's: the read may have come from a primary that is none any more.
        if (record?.generation ?? .min) < hint.generation, !self.isProving {
            self.isProving = true
            return .readRecord(hint.key, isLatest: true)
        }
        guard let record, record.state != .closed else {
            return .unlink(route.key, hint.key, through: hint.generation)
        }
        self.record = record
        let sides = self.sides(of: route.key, hint, record)
        return sides.isEmpty ? .finish([]) : .readRoutes(Set(sides.map { record.key(of: 1 - $0) }).sorted())
    }

    package mutating func unlinked() -> Action { .finish([]) }

    /// - Parameter claimed: nodes whose connections are on their way out (ND-4).
    package mutating func routesRead(_ routes: [RouteKey: RouteDocument], claimed: Set<NodeID>) -> Action {
        guard let record = self.record else { preconditionFailure("the record comes first") }
        func roster(_ side: Int, _ document: RouteDocument?) -> LinkRoster {
            let key = record.key(of: side)
            return LinkRoster(
                document ?? routes[key] ?? RouteDocument(key: key), record.sides[side].party, limit: self.members,
                claimed: claimed)
        }
        let all = record.isWithinParty ? [0] : [0, 1]
        switch self.cause {
        case .opened:
            let rosters = [0, 1].map { roster($0, nil) }
            self.excess = rosters.reduce(0) { $0 + $1.waiting.count }
            return .finish(
                all.map { self.notice(record, $0, routes) }
                    + all.flatMap { self.here(record, rosters[$0].members, on: $0, rosters[1 - $0].members) })
        case .closed: return .finish(all.map { self.notice(record, $0, routes) })
        case .joined(let connections, let route, let hint):
            return .finish(
                self.sides(of: route.key, hint, record).flatMap { side in
                    let own = roster(side, route)
                    return self.introduce(
                        connections, own, on: side, to: roster(1 - side, record.isWithinParty ? route : nil), record)
                })
        case .left(let connections, let route, let hint):
            return .finish(
                self.sides(of: route.key, hint, record).flatMap { side -> [LinkMessage] in
                    let own = roster(side, route)
                    let other = roster(1 - side, record.isWithinParty ? route : nil)
                    let recipients = other.members
                    let gone =
                        recipients.isEmpty
                        ? []
                        : [
                            LinkMessage(
                                record: record, side: 1 - side,
                                content: .gone(recipients: recipients, peers: connections))
                        ]
                    return gone + self.introduce(own.successors(of: connections), own, on: side, to: other, record)
                })
        }
    }

    /// The sides that a hint in a route is of.
    private func sides(of route: RouteKey, _ hint: LinkHint, _ record: LinkRecord) -> [Int] {
        (record.isWithinParty ? [0] : [0, 1]).filter {
            record.key(of: $0) == route && record.sides[$0].party.client == hint.client
        }
    }

    private mutating func introduce(
        _ connections: [RouteDocument.Connection], _ own: LinkRoster, on side: Int, to other: LinkRoster,
        _ record: LinkRecord
    ) -> [LinkMessage] {
        let joining = connections.filter { own.has($0.socket) }
        self.excess += connections.count - joining.count
        return self.here(record, joining, on: side, other.members)
            + self.here(record, other.members, on: 1 - side, joining)
    }

    private func here(
        _ record: LinkRecord, _ recipients: [RouteDocument.Connection], on side: Int,
        _ peers: [RouteDocument.Connection]
    ) -> [LinkMessage] {
        guard !recipients.isEmpty, !peers.isEmpty else { return [] }
        return [LinkMessage(record: record, side: side, content: .here(recipients: recipients, peers: peers))]
    }

    private func notice(
        _ record: LinkRecord, _ side: Int, _ routes: [RouteKey: RouteDocument]
    ) -> LinkMessage {
        let party = record.sides[side].party
        let nodes = Set((routes[record.key(of: side)]?.live ?? []).filter { party.has($0) }.map(\.node))
        return LinkMessage(
            record: record, side: side,
            content: .changed(nodes: nodes.sorted(), closed: record.state == .closed ? record.reason ?? .closed : nil))
    }
}
