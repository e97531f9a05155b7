import NIOCore
import Routing
import Wire

/// The order to end one connection whose endpoint or private ID has come back elsewhere (SPEC LC-6, SOCKETIO §14.3): a kick
/// that names its SID.
struct Supersession: Sendable, Equatable {
    let key: RouteKey
    let socket: SocketID
    /// ``RouteDocument/Recovery/take``: the connection that has the SID now, maybe on this very node, is not meant.
    let take: Int64?

    init(key: RouteKey, socket: SocketID, take: Int64? = nil) {
        self.key = key
        self.socket = socket
        self.take = take
    }

    init(key: RouteKey, connection: RouteDocument.Connection) {
        self.init(key: key, socket: connection.socket, take: connection.recovery?.take)
    }

    /// - Returns: nil for a kick of another kind.
    init?(_ message: BusMessage) {
        guard message.kind == .kick, let key = RouteKey(message.key) else { return nil }
        let parts = message.source.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let text = parts.first, let socket = SocketID(String(text)) else { return nil }
        if parts.count == 1 {
            self.init(key: key, socket: socket)
        } else {
            guard let take = Int64(parts[1]) else { return nil }
            self.init(key: key, socket: socket, take: take)
        }
    }

    var message: BusMessage {
        let kick = Kick(domain: self.key.domain, user: self.key.user, client: nil, reason: .superseded)
        var message = kick.message
        message.source = self.take.map { "\(self.socket.text)/\($0)" } ?? self.socket.text
        return message
    }

    func apply(to index: ConnectionIndex) {
        let order = self
        index.visit(self.key) { table in
            let found = table.connections(of: order.key).filter { order.means($0) }
            for connection in found { connection.end(.superseded) }
            return found.count
        } completion: { _ in
        }
    }

    private func means(_ connection: any LocalConnection) -> Bool {
        if let take = self.take { return connection.prepared.token == take }
        return connection.prepared == self.socket
    }
}
