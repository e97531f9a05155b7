import Routing
import Synchronization

/// Connections of users with Links that were committed and are not live yet, with the route as it was committed: they are told of
/// the other sides once they are live (SPEC LC-5). Bounded by the connections of the node.
final class LinkArrivals: Sendable {
    private let waiting = Mutex<[SocketID: RouteDocument]>([:])

    func note(_ socket: SocketID, _ route: RouteDocument) { self.waiting.withLock { $0[socket] = route } }

    /// - Returns: nil for a connection whose user has no Links.
    func take(_ socket: SocketID) -> RouteDocument? { self.waiting.withLock { $0.removeValue(forKey: socket) } }
}
