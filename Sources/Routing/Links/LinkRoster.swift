/// Who of a party takes part in its Links (SPEC LK-8): the oldest of those that are told of the other side.
package struct LinkRoster: Sendable, Equatable {
    /// Connections of one party in one Link.
    package static let defaultLimit = 32

    /// Oldest first.
    package let members: [RouteDocument.Connection]
    /// Those that would be, if somebody left.
    package let waiting: [RouteDocument.Connection]
    private let limit: Int

    /// - Parameter claimed: nodes whose connections are on their way out (ND-4).
    package init(
        _ document: RouteDocument, _ party: LinkParty, limit: Int = Self.defaultLimit, claimed: Set<NodeID> = []
    ) {
        self.init(document.live.filter { party.has($0) && !claimed.contains($0.node) }, limit)
    }

    private init(_ connections: [RouteDocument.Connection], _ limit: Int) {
        let sorted = connections.filter(\.takesRosters).sorted {
            ($0.since, $0.socket.text) < ($1.since, $1.socket.text)
        }
        self.members = Array(sorted.prefix(limit))
        self.waiting = Array(sorted.dropFirst(limit))
        self.limit = limit
    }

    package func has(_ socket: SocketID) -> Bool { self.members.contains { $0.socket == socket } }

    /// Who takes the places of those who left.
    /// - Parameter gone: not in this roster any more.
    package func successors(of gone: [RouteDocument.Connection]) -> [RouteDocument.Connection] {
        let before = LinkRoster(self.members + self.waiting + gone, self.limit)
        return self.members.filter { !before.has($0.socket) }
    }
}
