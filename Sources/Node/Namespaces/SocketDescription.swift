import NIOCore
import Routing
import Wire

/// What `fetchSockets` tells of a socket: JSON between nodes (SOCKETIO §13).
struct SocketDescription: Codable, Sendable {
    /// Bytes of JSON that an application may keep with a socket: a thousand of them fit into a few bus messages.
    static let maximumData = 64 << 10

    let id: String
    let user: String?
    let client: String?
    let rooms: [String]
    let data: JSONValue?
    let address: String
    let userAgent: String?

    init(_ socket: LiveSocket) {
        let identity = (socket as? LiveConnection)?.identity ?? (socket as? NamespaceSocket)?.identity
        let handshake = socket.session.handshake
        self.id = socket.sid
        self.user = identity?.user
        self.client = identity?.client
        self.rooms = [socket.sid] + socket.rooms.map(\.name)
        self.data = socket.data.flatMap { try? JSONValue(text: $0) }
        self.address = handshake.source.address
        self.userAgent = handshake.headers.single("user-agent")
    }

    /// For the bus.
    var json: ByteBuffer {
        do {
            return ByteBuffer(bytes: try EventEncoding.json(self))
        } catch {
            preconditionFailure("strings and JSON values always encode: \(error)")
        }
    }
}
