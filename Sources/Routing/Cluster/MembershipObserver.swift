/// Where a ``Membership`` tells what happened. Calls come from its tasks; keep them short.
package struct MembershipObserver: Sendable {
    /// A node is claimed or gone: what is cached about it goes.
    package var nodeClaimed: @Sendable (NodeID) -> Void
    /// This node is to remove what a dead one left (``DirectoryMachine/Event/reap(_:claim:)``).
    package var reap: @Sendable (NodeID, Int64?) -> Void
    /// The incarnation is over (SPEC ND-3, ND-5). Called once; ``Membership/run()`` returns soon after.
    package var ended: @Sendable (LeaseMachine.End) -> Void
    /// The registry failed; everything is repeated.
    package var failed: @Sendable (StoreError) -> Void

    package init(
        nodeClaimed: @escaping @Sendable (NodeID) -> Void = { _ in },
        reap: @escaping @Sendable (NodeID, Int64?) -> Void = { _, _ in },
        ended: @escaping @Sendable (LeaseMachine.End) -> Void = { _ in },
        failed: @escaping @Sendable (StoreError) -> Void = { _ in }
    ) {
        self.nodeClaimed = nodeClaimed
        self.reap = reap
        self.ended = ended
        self.failed = failed
    }
}
