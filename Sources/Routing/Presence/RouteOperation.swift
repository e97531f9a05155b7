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
        if case .connect(let connection) = self.change { connection } else { nil }
    }

    func removes(_ connection: RouteDocument.Connection) -> Bool {
        self.change == .disconnect(connection.socket, node: connection.node)
    }
}
