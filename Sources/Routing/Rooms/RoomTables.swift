/// The namespaces of one event loop that have sockets, by domain and name. Touch only from that loop.
package final class RoomTables {
    private var tables: [RoomScope: RoomTable] = [:]

    /// nil while connection state recovery is off.
    package let broadcasts: BroadcastTrails?

    package init(broadcasts: BroadcastTrails? = nil) {
        self.broadcasts = broadcasts
    }

    package subscript(scope: RoomScope) -> RoomTable? { self.tables[scope] }

    /// Namespaces that have sockets here, and their rooms.
    package var counts: (namespaces: Int, rooms: Int) {
        (self.tables.count, self.tables.values.reduce(0) { $0 + $1.roomCount })
    }

    package func add(_ member: any RoomMember, to scope: RoomScope) {
        let table = self.tables[scope] ?? RoomTable()
        table.add(member)
        self.tables[scope] = table
    }

    /// A namespace without sockets costs nothing (SOCKETIO §11.4).
    package func remove(_ member: any RoomMember, from scope: RoomScope) {
        guard let table = self.tables[scope] else { return }
        table.remove(member)
        if table.isEmpty { self.tables[scope] = nil }
    }
}

@available(*, unavailable) extension RoomTables: Sendable {}
