/// Connection state recovery in the route document (SOCKETIO §14.2, §14.3).
extension RouteMachine {
    /// - Returns: nil when there is nothing to recover.
    func recover(
        _ pid: PrivateIDHash, _ connection: RouteDocument.Connection, _ document: inout RouteDocument, _ now: Int64
    ) -> RouteOutcome? {
        guard let window = self.recovery?.window, let place = document.logPlace else { return nil }
        func isOwn(_ other: RouteDocument.Connection) -> Bool {
            other.node == connection.node && other.isHeld(by: connection.socket)
        }
        // Applied again after an unknown outcome (SPEC LC-2): what the first one did stands.
        if let own = document.live.first(where: isOwn) {
            guard let recovery = own.recovery, recovery.take != nil else { return nil }
            return .recovered(
                RecoveredConnection(
                    socket: own.socket, base: recovery.base, since: now - window, logPlace: place,
                    first: recovery.first, rooms: recovery.rooms, superseded: []))
        }

        let socket: SocketID
        let since: Int64
        var kept: RouteDocument.Recovery
        if let live = document.live.first(where: { $0.recovery?.pid == pid }), let recovery = live.recovery {
            guard live.client == connection.client else { return nil }
            // Nobody knows when the client was lost; it does not come back after more than the window.
            (socket, since, kept) = (live.socket, now - window, recovery)
        } else if let away = document.away.first(where: { $0.pid == pid }), away.until > now {
            guard away.client == connection.client else { return nil }
            (socket, since) = (away.socket, away.until - window)
            kept = RouteDocument.Recovery(pid: pid, base: away.base, first: away.first, rooms: away.rooms)
        } else {
            return nil
        }
        func givesWay(_ other: RouteDocument.Connection) -> Bool {
            other.socket == socket || other.isInstance(connection.endpoint, of: connection.client)
        }
        let superseded = document.live.filter(givesWay)
        if document.live.count - superseded.count >= self.limits.perUser { return .refused(.user) }
        let siblings = document.live.count { $0.client == connection.client && !givesWay($0) }
        if siblings >= self.limits.perClient { return .refused(.client) }
        if document.outbox.count >= self.limits.outbox { return .refused(.outbox) }

        document.live.removeAll(where: givesWay)
        document.away.removeAll { $0.socket == socket }
        var taken = connection
        taken.socket = socket
        kept.take = connection.socket.token
        taken.recovery = kept
        document.live.append(taken)
        return .recovered(
            RecoveredConnection(
                socket: socket, base: kept.base, since: since, logPlace: place, first: kept.first, rooms: kept.rooms,
                superseded: superseded))
    }

    /// A new connection.
    func add(_ connection: RouteDocument.Connection, to document: inout RouteDocument) {
        var connection = connection
        if var own = connection.recovery, let recovery = self.recovery {
            own.base = document.version
            own.first = connection.since
            connection.recovery = own
            if document.logPlace == nil { document.logPlace = recovery.place(document.key) }
        } else {
            connection.recovery = nil
        }
        // The page came back as a new connection: its private ID is a new one, too.
        document.away.removeAll {
            !$0.endpoint.isEmpty && $0.endpoint == connection.endpoint && $0.client == connection.client
        }
        document.live.append(connection)
    }

    /// Removes connections; those that are recoverable are away from now on.
    func remove(
        _ document: inout RouteDocument, _ now: Int64, isFinal: Bool,
        where isGone: (RouteDocument.Connection) -> Bool
    ) {
        if let window = self.recovery?.window, !isFinal {
            for connection in document.live where isGone(connection) {
                guard let recovery = connection.recovery, let pid = recovery.pid else { continue }
                document.away.append(
                    RouteDocument.Away(
                        socket: connection.socket, client: connection.client, endpoint: connection.endpoint,
                        pid: pid, base: recovery.base, until: now + window, first: recovery.first,
                        rooms: recovery.rooms))
            }
            while document.away.count > RouteRecovery.awayLimit {
                guard let oldest = document.away.indices.min(by: { document.away[$0].until < document.away[$1].until })
                else { break }
                document.away.remove(at: oldest)
            }
        }
        document.live.removeAll(where: isGone)
    }

    /// - Returns: whether that changed anything; the entry may be of a later owner.
    static func setRooms(
        _ rooms: [String], of socket: SocketID, _ node: NodeID, _ document: inout RouteDocument
    ) -> Bool {
        guard let index = document.live.firstIndex(where: { $0.node == node && $0.isHeld(by: socket) }),
            let old = document.live[index].recovery, old.pid != nil
        else { return false }
        if RouteRecovery.takes(rooms: rooms) {
            document.live[index].recovery?.rooms = rooms
        } else {
            // Honest: not recoverable is better than recovered without some of its rooms.
            document.live[index].recovery?.rooms = []
            document.live[index].recovery?.pid = nil
        }
        return document.live[index].recovery != old
    }

    /// - Returns: whether there was anything to forget.
    static func forget(_ client: String?, _ document: inout RouteDocument) -> Bool {
        let count = document.away.count
        document.away.removeAll { client == nil || $0.client == client }
        var isFound = document.away.count < count
        for index in document.live.indices where client == nil || document.live[index].client == client {
            // Its node is about to end it, or is dead: then nothing must be left of it. What its owner knows it by stays.
            guard document.live[index].recovery?.pid != nil else { continue }
            document.live[index].recovery?.pid = nil
            isFound = true
        }
        return isFound
    }
}
