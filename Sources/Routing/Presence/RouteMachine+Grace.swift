/// The announced presence, and how long it outlives the live one (SPEC LC-3, LC-8).
extension RouteMachine {
    /// Clients by the grace that the last of their connections to leave in this step left with, in milliseconds.
    typealias Departures = [String: Int64]

    /// Notes who leaves how, ahead of ``remove(_:_:isFinal:where:)``: of several departures of a client the last one counts.
    static func note(
        _ departures: inout Departures, grace: Int64, _ document: RouteDocument,
        where isGone: (RouteDocument.Connection) -> Bool
    ) {
        for connection in document.live where isGone(connection) { departures[connection.client] = grace }
    }

    /// Ends the graces that run: who was kicked or logged out is not expected back.
    /// - Returns: whether there was any.
    static func endGraces(_ client: String?, _ departures: inout Departures, _ document: RouteDocument) -> Bool {
        var isFound = false
        for (name, deadline) in document.announcedClients where deadline != nil && (client == nil || client == name) {
            departures[name] = 0
            isFound = true
        }
        return isFound
    }

    /// Brings the announced presence to the live one (LC-3), but for clients in grace. Sorted, so that equal inputs give equal
    /// documents. Whoever writes announces what is due, whatever it writes for.
    func announce(
        _ document: inout RouteDocument, _ departures: Departures, _ now: Int64, _ graces: inout GraceChanges
    ) -> [RouteTransition] {
        let live = Self.clients(of: document.live)
        // Transitions behind earlier ones belong to those: one node at a time calls handlers for a key.
        let owner = document.outbox.last?.owner ?? self.node
        var transitions: [RouteTransition] = []
        func append(_ kind: RouteTransition.Kind, _ client: String?) {
            document.sequence += 1
            transitions.append(
                RouteTransition(kind: kind, client: client, sequence: document.sequence, owner: owner))
        }

        if !live.isEmpty, !document.isUserAnnounced {
            document.isUserAnnounced = true
            append(.userOnline, nil)
        }
        for client in live {
            switch document.announcedClients.updateValue(nil, forKey: client) {
            case .none: append(.clientOnline, client)
            case .some(.some): graces.returned += 1
            case .some(.none): break
            }
        }
        if document.announcedClients.count > live.count {
            for client in self.leaving(&document, live, departures, now, &graces).sorted() {
                document.announcedClients.removeValue(forKey: client)
                append(.clientOffline, client)
            }
        }
        if document.announcedClients.isEmpty, document.isUserAnnounced {
            document.isUserAnnounced = false
            append(.userOffline, nil)
        }
        return transitions
    }

    /// Who has connections, each once and in order.
    private static func clients(of live: [RouteDocument.Connection]) -> [String] {
        var clients = live.map(\.client)
        guard clients.count > 1 else { return clients }
        clients.sort()
        var last: String?
        clients.removeAll { client in
            defer { last = client }
            return client == last
        }
        return clients
    }

    /// Stores the deadlines of who left with grace.
    /// - Returns: clients that are to be announced offline now.
    private func leaving(
        _ document: inout RouteDocument, _ live: [String], _ departures: Departures, _ now: Int64,
        _ graces: inout GraceChanges
    ) -> [String] {
        var leaving: [String] = []
        var waiting: [(deadline: Int64, client: String)] = []
        for (client, deadline) in document.announcedClients where !live.contains(client) {
            switch (departures[client], deadline) {
            case (let grace?, _) where grace > 0:
                graces.started += 1
                waiting.append((now + grace, client))
            case (nil, let deadline?) where deadline > now:
                waiting.append((deadline, client))
            case (let departure, let deadline):
                leaving.append(client)
                if deadline != nil { if departure == nil { graces.expired += 1 } else { graces.cut += 1 } }
            }
        }
        if waiting.count > self.limits.graces {
            waiting.sort { ($0.deadline, $0.client) < ($1.deadline, $1.client) }
            let excess = waiting.count - self.limits.graces
            leaving += waiting[..<excess].map(\.client)
            graces.cut += excess
            waiting.removeFirst(excess)
        }
        for (deadline, client) in waiting { document.announcedClients.updateValue(deadline, forKey: client) }
        return leaving
    }
}
