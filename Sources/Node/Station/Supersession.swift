import NIOCore
import Routing
import Wire

/// The order to end one connection whose endpoint has come back elsewhere (SPEC LC-6): a kick that names its SID.
struct Supersession: Sendable, Equatable {
    let key: RouteKey
    let socket: SocketID

    init(key: RouteKey, socket: SocketID) {
        self.key = key
        self.socket = socket
    }

    /// - Returns: nil for a kick of another kind.
    init?(_ message: BusMessage) {
        guard message.kind == .kick, let socket = SocketID(message.source), let key = RouteKey(message.key) else {
            return nil
        }
        self.init(key: key, socket: socket)
    }

    var message: BusMessage {
        let kick = Kick(domain: self.key.domain, user: self.key.user, client: nil, reason: .superseded)
        var message = kick.message
        message.source = self.socket.text
        return message
    }

    func apply(to index: ConnectionIndex) {
        let socket = self.socket
        let key = self.key
        index.visit(key) { table in
            let found = table.connections(of: key).filter { $0.socket == socket }
            for connection in found { connection.end(.superseded) }
            return found.count
        } completion: { _ in
        }
    }
}
