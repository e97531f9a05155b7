import Metrics
import Routing
import Wire

/// The rooms of a connection, which it has to find again after it was lost (SOCKETIO §14.2).
extension LiveConnection {
    /// Before what it has missed is read, so that no broadcast falls between (SOCKETIO §14.3).
    /// - Returns: false where it may not be in all of them here.
    func enterRooms(of recovered: RecoveredConnection) -> Bool {
        self.socket = recovered.socket
        self.loop.rooms.add(self, to: self.scope)
        do {
            try self.loop.rooms[self.scope]?.join(self, recovered.rooms, limits: self.loop.server.roomLimits)
            return true
        } catch {
            return false
        }
    }

    func leaveRooms() {
        if self.seat >= 0 { self.loop.rooms.remove(self, from: self.scope) }
    }

    /// Into the route, so that whichever node the client comes back to knows them.
    func keepRooms(_ done: @escaping @Sendable () -> Void) {
        guard let identity = self.identity, let recovery = self.loop.server.recovery, self.seat >= 0,
            self.comeback?.keepsRooms == true
        else { return done() }
        let rooms = self.rooms.map(\.name)
        if !RouteRecovery.takes(rooms: rooms) {
            self.comeback?.keepsRooms = false
            recovery.roomsExceeded.increment()
        }
        self.loop.commit(
            .setRooms(rooms, of: self.prepared, node: self.clusterNode.id), key: identity.key,
            to: self.clusterNode.committer
        ) { result in
            // `closed`: the incarnation is over, and so is this socket.
            if case .failure(let error) = result, error != .closed { recovery.roomsFailed.increment() }
            done()
        }
    }
}
