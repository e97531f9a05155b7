internal import Synchronization

/// The bus of incarnations that live in one process: of a single node, which has nobody to talk to, or of several in
/// tests.
package final class LoopbackHub: Sendable {
    private let adapters = Mutex<[NodeID: LoopbackClusterAdapter]>([:])

    package init() {}

    /// Opens the inbox of a node. Run ``LoopbackClusterAdapter/run()`` to have it delivered.
    package func open(_ node: NodeID, receiver: any ClusterReceiver) -> LoopbackClusterAdapter {
        let adapter = LoopbackClusterAdapter(node: node, hub: self, receiver: receiver)
        self.adapters.withLock { $0[node] = adapter }
        return adapter
    }

    func adapter(of node: NodeID) -> LoopbackClusterAdapter? { self.adapters.withLock { $0[node] } }

    func close(_ node: NodeID) { self.adapters.withLock { _ = $0.removeValue(forKey: node) } }
}
