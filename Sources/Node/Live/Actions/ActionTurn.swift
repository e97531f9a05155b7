import Synchronization

/// One action of a socket, from its start to its answer. Its agent tells it that the session is about to change: the connection
/// then stays until the answer is written (SPEC ID-10, ID-12).
final class ActionTurn: Sendable {
    private let changes = Atomic<Bool>(false)
    private let known = Mutex<Agent?>(nil)

    /// Whether the action has begun to change the session.
    var changesSession: Bool { self.changes.load(ordering: .acquiring) }

    func noteChange() { self.changes.store(true, ordering: .releasing) }

    /// The agent that the action ran as; nil where it came to none.
    var agent: Agent? {
        get { self.known.withLock(\.self) }
        set { self.known.withLock { $0 = newValue } }
    }
}
