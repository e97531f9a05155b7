import Routing
import Synchronization

/// Connections of users with Links that were committed and are not live yet: they are told of the other sides once they are (SPEC
/// LC-5). Bounded by the connections of the node.
final class LinkArrivals: Sendable {
    private let waiting = Mutex<Set<SocketID>>([])

    func note(_ prepared: SocketID) { self.waiting.withLock { _ = $0.insert(prepared) } }

    /// - Returns: whether the connection's user has Links.
    func take(_ prepared: SocketID) -> Bool { self.waiting.withLock { $0.remove(prepared) != nil } }
}
