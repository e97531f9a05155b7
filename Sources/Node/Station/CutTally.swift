import Routing
import Synchronization

/// Counts the sockets that one revocation cuts on this node, over all loops, and knows when the last one is cut.
final class CutTally: Sendable {
    private struct State {
        /// Whoever made the tally is in it until everybody has entered.
        var open = 1
        var cut = 0
    }

    private let state = Mutex(State())
    private let done: @Sendable (Int) -> Void

    init(_ done: @escaping @Sendable (Int) -> Void) {
        self.done = done
    }

    func enter() { self.state.withLock { $0.open += 1 } }

    func leave() {
        let cut = self.state.withLock { state -> Int? in
            state.open -= 1
            return state.open == 0 ? state.cut : nil
        }
        if let cut { self.done(cut) }
    }

    /// Call from the socket's loop.
    func cut(_ socket: LiveSocket, _ reason: LogoutReason) {
        self.state.withLock { $0.cut += 1 }
        socket.endAuthority(reason)
    }
}
