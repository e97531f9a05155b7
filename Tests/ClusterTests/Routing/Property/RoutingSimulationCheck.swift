import Routing

extension RoutingSimulation {
    /// What SPEC §11 (1, 2) promises and this run broke; empty for a good one.
    func violations() -> [String] {
        var found: [String] = []
        var places: [SocketID: RouteKey] = [:]
        for key in Set(self.documents.keys).union(self.emissions.keys).sorted() {
            let document = self.documents[key] ?? RouteDocument(key: key)
            self.checkHistory(key, document, &found)
            self.checkDocument(document, &places, &found)
        }
        let sockets = self.nodes.filter(\.isRunning).flatMap(\.openSockets).filter { !$0.isPending }
        let open = Set(sockets.map(\.socket))
        if open.count != sockets.count { found.append("SOCKETIO §14.3: a SID is open twice") }
        if open != Set(places.keys) {
            found.append("§11.1: routes hold \(places.count) sockets, \(open.count) are open")
            for socket in open.subtracting(places.keys) { found.append("  lost: \(socket)") }
            for socket in Set(places.keys).subtracting(open) { found.append("  ghost: \(socket)") }
        }
        for node in self.nodes where node.isRunning {
            for socket in node.openSockets where socket.isPending {
                found.append("LC-5: \(socket.connection.socket) was never answered")
            }
        }
        return found
    }

    private func checkHistory(_ key: RouteKey, _ document: RouteDocument, _ found: inout [String]) {
        var newest: Int64?
        var isOnline = false
        var clients: Set<String> = []
        for emission in self.emissions[key] ?? [] {
            let transition = emission.transition
            let name = "\(key.user) seq \(transition.sequence & 0xFFFFF) \(transition.kind) \(transition.client ?? "")"
            if !emission.isRepeatExcused { found.append("LC-3: \(name) repeated while its first owner lived") }
            if let newest, transition.sequence <= newest { continue }
            if let newest, transition.sequence != newest + 1 { found.append("LC-3: \(name) after \(newest & 0xFFFFF)") }
            newest = transition.sequence
            let isAlternating: Bool
            switch (transition.kind, transition.client) {
            case (.userOnline, nil):
                isAlternating = !isOnline && clients.isEmpty
                isOnline = true
            case (.clientOnline, let client?): isAlternating = isOnline && clients.insert(client).inserted
            case (.clientOffline, let client?): isAlternating = isOnline && clients.remove(client) != nil
            case (.userOffline, nil):
                isAlternating = isOnline && clients.isEmpty
                isOnline = false
            default: isAlternating = false
            }
            if !isAlternating { found.append("§11.1: \(name) does not alternate") }
        }
        if isOnline != document.isUserAnnounced || clients != Set(document.announcedClients.keys) {
            found.append("§11.2: \(key.user): announced \(isOnline) \(clients), stored \(document)")
        }
        if !document.outbox.isEmpty { found.append("LC-2: \(key.user): never emitted: \(document.outbox)") }
    }

    private func checkDocument(
        _ document: RouteDocument, _ places: inout [SocketID: RouteKey], _ found: inout [String]
    ) {
        let pids = document.live.compactMap(\.recovery?.pid) + document.away.map(\.pid)
        if Set(pids).count != pids.count { found.append("SOCKETIO §14.3: a private ID is bound twice: \(document)") }
        for away in document.away where places[away.socket] != nil {
            found.append("§11.2: \(away.socket) is away and elsewhere")
        }
        for connection in document.live {
            if document.away.contains(where: { $0.socket == connection.socket }) {
                found.append("§11.2: \(connection.socket) is live and away")
            }
            if places.updateValue(document.key, forKey: connection.socket) != nil {
                found.append("§11.2: \(connection.socket) is in two routes, or twice in one")
            }
            if (self.records[connection.node]?.state ?? .gone) >= .claimed {
                found.append("§11.2: \(connection.socket) is on the dead \(Self.name(connection.node))")
            }
        }
        if Set(document.live.map(\.client)) != Set(document.announcedClients.keys) {
            found.append("§11.1: \(document.key.user): announced is not what is live: \(document)")
        }
    }
}
