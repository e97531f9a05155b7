import Metrics
import Synchronization

/// The namespaces that clients have made by asking for them: bounded, as their names come from outside (SOCKETIO §11.4).
final class NamespaceChildren: Sendable {
    private let sockets = Mutex<[String: Int]>([:])
    private let limit: Int
    private let gauge = Gauge(label: "submergence_live_dynamic_namespaces")
    private let refused = Counter(label: "submergence_live_dynamic_namespaces_refused_total")

    /// - Parameter limit: namespaces on this node that have sockets.
    init(limit: Int) {
        self.limit = limit
    }

    /// Whether a socket may join the namespace. Many that ask at once may exceed the limit by as many.
    func mayAdd(_ name: String) -> Bool {
        let mayAdd = self.sockets.withLock { $0[name] != nil || $0.count < self.limit }
        if !mayAdd { self.refused.increment() }
        return mayAdd
    }

    func add(_ name: String) { self.change(name, by: 1) }

    func remove(_ name: String) { self.change(name, by: -1) }

    private func change(_ name: String, by step: Int) {
        let count = self.sockets.withLock { sockets in
            let left = (sockets[name] ?? 0) + step
            sockets[name] = left > 0 ? left : nil
            return sockets.count
        }
        self.gauge.record(count)
    }
}
