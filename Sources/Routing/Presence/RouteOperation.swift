/// A change on its way through a ``RouteCommitMachine``.
struct RouteOperation: Sendable {
    /// 0: nobody waits for the result.
    let id: UInt64
    let change: RouteChange
    /// When a connect is given up; nil for everything else, which is repeated until it is committed.
    let deadline: Int64?
    /// The caller was told that the connect failed; its removal waits behind it.
    var isAbandoned = false

    var isConnect: Bool { self.deadline != nil }

    var connection: RouteDocument.Connection? {
        switch self.change {
        case .connect(let connection), .recover(_, let connection): connection
        // A renewal is in the route already: its removal does not cancel it out.
        case .renew, .disconnect, .setRooms, .forget, .settle, .reap, .link, .unlink, .acknowledge: nil
        }
    }

    func removes(_ connection: RouteDocument.Connection) -> Bool {
        guard case .disconnect(let socket, let node, _, _, _) = self.change else { return false }
        return socket == connection.socket && node == connection.node
    }
}
