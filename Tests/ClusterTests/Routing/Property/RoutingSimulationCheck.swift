import Routing

/// What SPEC §11 (1, 2) promises: at every step, and of the end.
extension RoutingSimulation {
    // MARK: At every step

    /// A write has been committed.
    func check(_ old: RouteDocument?, _ new: RouteDocument) {
        let key = new.key
        var ledger = self.committed[key] ?? RoutingPresenceLedger()
        let transitions = new.outbox.filter { $0.sequence > old?.sequence ?? .min }
        for transition in transitions {
            self.fault(ledger.take(transition, of: key))
            guard transition.kind == .clientOffline, let client = transition.client,
                case .some(.some(let deadline)) = old?.announcedClients[client],
                self.cuts[key]?.contains(client) != true
            else { continue }
            if self.clusterTime < deadline - self.clockError {
                self.fault("LC-8: \(key.user) \(client) is offline \(deadline - self.clusterTime) ms before its time")
            }
        }
        self.committed[key] = ledger
        let clients = Set(new.announcedClients.keys)
        if ledger.isOnline != new.isUserAnnounced || ledger.clients != clients || new.isUserAnnounced == clients.isEmpty
        {
            self.fault("§11.1: \(key.user): transitions say \(ledger.clients), stored is \(new)")
        }
        if !clients.isSuperset(of: new.live.map(\.client)) { self.fault("§11.1: live and not announced: \(new)") }
        let deadlines = new.announcedClients.values.compactMap(\.self) + new.links.compactMap(\.due)
        if new.due != deadlines.min() { self.fault("LC-8: wrong due: \(new)") }
        for client in Set(new.live.map(\.client)) where new.announcedClients[client] != .some(nil) {
            self.fault("LC-8: \(client) is live and has a deadline: \(new)")
        }
        if new.announcedClients.contains(where: { client, deadline in
            deadline == nil && !new.live.contains { $0.client == client }
        }) {
            self.fault("LC-8: announced for ever: \(new)")
        }
        if let old, new.sequence - old.sequence != Int64(transitions.count) {
            self.fault("LC-2: \(transitions.count) transitions since \(old.sequence): \(new)")
        }
        self.place(old, new)
    }

    private func place(_ old: RouteDocument?, _ new: RouteDocument) {
        for connection in old?.live ?? [] { self.places[connection.socket] = nil }
        for connection in new.live where self.places.updateValue(new.key, forKey: connection.socket) != nil {
            self.fault("§11.2: \(connection.socket) is in two routes, or twice in one")
        }
    }

    /// Handlers have been called.
    func check(_ emission: Emission, of key: RouteKey) {
        var ledger = self.emitted[key] ?? RoutingPresenceLedger()
        let transition = emission.transition
        if !emission.isRepeatExcused {
            self.fault("LC-3: \(key.user) seq \(transition.sequence & 0xFFFFF) repeated while its first owner lived")
        }
        if let newest = ledger.newest, transition.sequence <= newest { return }
        self.fault(ledger.take(transition, of: key))
        self.emitted[key] = ledger
    }

    // MARK: In the end

    /// What this run broke; empty for a good one.
    func violations() -> [String] {
        // Stopped at the first one: what is left undone then is no news.
        guard self.faults.isEmpty else { return self.faults }
        var found: [String] = []
        for key in Set(self.documents.keys).union(self.emitted.keys).sorted() {
            let document = self.documents[key] ?? RouteDocument(key: key)
            let ledger = self.emitted[key] ?? RoutingPresenceLedger()
            if ledger.isOnline != document.isUserAnnounced || ledger.clients != Set(document.announcedClients.keys) {
                found.append("§11.2: \(key.user): announced \(ledger.isOnline) \(ledger.clients), stored \(document)")
            }
            if !document.outbox.isEmpty { found.append("LC-2: \(key.user): never emitted: \(document.outbox)") }
            self.checkDocument(document, &found)
        }
        let sockets = self.nodes.filter(\.isRunning).flatMap(\.openSockets).filter { !$0.isPending }
        let open = Set(sockets.map(\.socket))
        if open.count != sockets.count { found.append("SOCKETIO §14.3: a SID is open twice") }
        if open != Set(self.places.keys) {
            found.append("§11.1: routes hold \(self.places.count) sockets, \(open.count) are open")
            for socket in open.subtracting(self.places.keys) { found.append("  lost: \(socket)") }
            for socket in Set(self.places.keys).subtracting(open) { found.append("  ghost: \(socket)") }
        }
        for node in self.nodes where node.isRunning {
            for socket in node.openSockets where socket.isPending {
                found.append("LC-5: \(socket.connection.socket) was never answered")
            }
        }
        self.checkLinks(&found)
        return found
    }

    private func checkDocument(_ document: RouteDocument, _ found: inout [String]) {
        let pids = document.live.compactMap(\.recovery?.pid) + document.away.map(\.pid)
        if Set(pids).count != pids.count { found.append("SOCKETIO §14.3: a private ID is bound twice: \(document)") }
        for away in document.away where self.places[away.socket] != nil {
            found.append("§11.2: \(away.socket) is away and elsewhere")
        }
        for connection in document.live where (self.records[connection.node]?.state ?? .gone) >= .claimed {
            found.append("§11.2: \(connection.socket) is on the dead \(Self.name(connection.node))")
        }
        if Set(document.live.map(\.client)) != Set(document.announcedClients.keys) {
            found.append("§11.1: \(document.key.user): announced is not what is live: \(document)")
        }
    }
}
