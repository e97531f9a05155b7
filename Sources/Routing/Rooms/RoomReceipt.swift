/// What is known of a broadcast once it has been handed over.
package struct RoomReceipt: Sendable, Equatable {
    /// Sockets on this node.
    package var local: Int
    /// Other nodes that have it in their inbox, whether they have such sockets or not.
    package var nodes: Int
    /// False when the nodes could not be read, or an inbox not be written.
    package var isComplete: Bool

    package init(local: Int, nodes: Int, isComplete: Bool) {
        self.local = local
        self.nodes = nodes
        self.isComplete = isComplete
    }
}
