import Routing
import Wire

/// Sends to a node that was met in a route or as a sender. It may have come a moment ago, before the directory was read again
/// (SPEC ND-2). A node that is gone needs to be told nothing.
struct NodeMessenger: Sendable {
    let membership: Membership
    let adapter: any ClusterAdapter
    let work: WorkPool

    func publish(_ message: BusMessage, to node: NodeID) {
        if let record = self.membership.record(of: node) { return self.adapter.publish(message, to: record) { _ in } }
        // A pool that is full counts what it refuses.
        _ = self.work.submit {
            guard let record = await self.membership.resolve(node) else { return }
            self.adapter.publish(message, to: record) { _ in }
        }
    }
}
