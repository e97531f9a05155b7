import Wire

/// Link hints in the route document (SPEC LC-1, LK-13, LK-15): as they are in one document with the connections, either who
/// leaves sees the hint, or who opens sees that nobody is there.
extension RouteMachine {
    /// How long after a closing was begun the next one begins, in milliseconds, should the hint still be there.
    package static let closingPatience: Int64 = 5_000

    /// How the last connection of each client left in this step, and the last one of all.
    struct LinkDepartures {
        var byClient: [String: LinkDeparture] = [:]
        var last: LinkDeparture?

        mutating func note(
            _ departure: LinkDeparture, _ document: RouteDocument, where isGone: (RouteDocument.Connection) -> Bool
        ) {
            guard !document.links.isEmpty else { return }
            for connection in document.live where isGone(connection) {
                self.byClient[connection.client] = departure
                self.last = departure
            }
        }

        func departure(of party: LinkHint) -> LinkDeparture? {
            guard let client = party.client else { return self.last }
            return self.byClient[client]
        }
    }

    /// Adds a hint, or raises the generation of one that is there.
    func link(_ hint: LinkHint, _ document: inout RouteDocument) -> RouteOutcome {
        guard Self.isLive(hint, document) else { return .linked(isLive: false) }
        if let index = document.links.firstIndex(where: { $0.isPlace(of: hint) }) {
            document.links[index].generation = max(document.links[index].generation, hint.generation)
            return .linked(isLive: true)
        }
        guard document.links.count < self.limits.links else { return .refused(.links) }
        document.links.append(LinkHint(key: hint.key, generation: hint.generation, client: hint.client))
        return .linked(isLive: true)
    }

    /// - Returns: whether there was one.
    static func unlink(_ key: LinkKey, through generation: Int64, _ document: inout RouteDocument) -> Bool {
        let count = document.links.count
        document.links.removeAll { $0.key == key && $0.generation <= generation }
        return document.links.count < count
    }

    /// Ends the waiting for parties that were kicked or logged out.
    static func endLinkGraces(_ client: String?, _ reason: LinkCloseReason, _ document: inout RouteDocument) -> Bool {
        var isFound = false
        for index in document.links.indices where client == nil || document.links[index].client == client {
            guard document.links[index].due != nil, document.links[index].reason == nil else { continue }
            (document.links[index].due, document.links[index].reason) = (.min, reason)
            isFound = true
        }
        return isFound
    }

    private static func isLive(_ hint: LinkHint, _ document: RouteDocument) -> Bool {
        document.live.contains { hint.client == nil || hint.client == $0.client }
    }

    /// Gives every hint of a party without a connection its deadline, and takes it from the others.
    /// - Parameter settles: whether Links whose time has come are to be closed by this node.
    /// - Returns: Links to be closed now.
    func settleLinks(
        _ document: inout RouteDocument, _ departures: LinkDepartures, _ now: Int64, settles: Bool
    ) -> [LinkHint] {
        var closings: [LinkHint] = []
        for index in document.links.indices {
            var hint = document.links[index]
            if Self.isLive(hint, document) {
                (hint.due, hint.reason) = (nil, nil)
            } else {
                switch departures.departure(of: hint) {
                case .grace(let grace) where grace > 0: (hint.due, hint.reason) = (now + grace, nil)
                case .grace: (hint.due, hint.reason) = (.min, .offline)
                case .close(let reason): (hint.due, hint.reason) = (.min, reason)
                case nil: if hint.due == nil { (hint.due, hint.reason) = (.min, .offline) }
                }
                // What begins in this step is this node's to close; what was due before, only if it settles.
                if let due = hint.due, due == .min || (settles && due <= now) {
                    closings.append(hint)
                    hint.due = now + Self.closingPatience
                }
            }
            document.links[index] = hint
        }
        return closings
    }

    /// Who came and who went, for the rosters (SPEC LK-11, LK-12).
    func noteMoves(
        _ links: inout LinkChanges, _ changes: [RouteChange], _ old: RouteDocument, _ document: RouteDocument
    ) {
        for change in changes {
            switch change {
            case .connect(let connection), .recover(_, let connection), .renew(let connection):
                links.arrivals += document.live.filter {
                    $0.node == connection.node && $0.isHeld(by: connection.socket)
                }
            case .disconnect, .setRooms, .forget, .reap, .link, .unlink, .settle, .acknowledge: break
            }
        }
        links.departures = old.live.filter { gone in !document.live.contains { $0.socket == gone.socket } }
    }
}
