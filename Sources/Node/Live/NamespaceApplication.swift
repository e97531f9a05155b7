import NIOCore
import Routing
import Wire

/// What an application does in one namespace. Built before the listeners open, read-only after.
struct NamespaceApplication: Sendable {
    /// Runs on the loop, behind CONNECT. Gets the client's auth payload.
    var joined: (@Sendable (LoopSocket, _ auth: ByteBuffer) -> Void)?
    var events = EventTable()
    /// Decides, one after the other, whether a client may join (SOCKETIO §11.5).
    var middleware: [NamespaceMiddleware] = []
    /// Run behind CONNECT, in the socket's order of handlers.
    var connection: [@Sendable (Socket) async throws -> Void] = []
    var disconnection: [@Sendable (Socket, Disconnection) async throws -> Void] = []
    /// Handlers of events that other nodes send to this one (SOCKETIO §13), by name.
    var serverSide: [String: @Sendable (ServerSideEvent) async throws -> Void] = [:]

    /// Whether the application wants to see the client's first request.
    var needsHandshake: Bool { !self.middleware.isEmpty || !self.connection.isEmpty }
}

/// A namespace of a running station: what its sockets refer to.
final class InstalledNamespace: Sendable {
    let application: NamespaceApplication
    /// Made by a client's asking for it; gone with its last socket (SOCKETIO §11.4).
    let isDynamic: Bool

    init(_ application: NamespaceApplication, isDynamic: Bool = false) {
        self.application = application
        self.isDynamic = isDynamic
    }
}

/// Namespaces whose names clients choose, as far as a pattern lets them (SOCKETIO §11.4).
struct NamespacePattern: Sendable {
    let accepts: @Sendable (_ name: String, _ auth: JSONValue) async throws -> Bool
    let installed: InstalledNamespace
}
