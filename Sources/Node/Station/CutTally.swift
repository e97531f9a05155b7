import Routing
import Synchronization

/// Counts the sockets that one revocation cuts on this node, over all loops, and knows when the last one is cut, and when the
/// Links that went with them are closed.
final class CutTally: Sendable {
    private struct State {
        /// Whoever made the tally is in it until everybody has entered.
        var open = 1
        var cut = 0
        /// Sockets whose Links are not closed yet, and the maker.
        var openLinks = 1
    }

    private let state = Mutex(State())
    private let done: RevocationCut

    init(_ done: RevocationCut) {
        self.done = done
    }

    func enter() { self.state.withLock { $0.open += 1 } }

    func leave() {
        let cut = self.state.withLock { state -> Int? in
            state.open -= 1
            return state.open == 0 ? state.cut : nil
        }
        guard let cut else { return }
        self.done(cut)
        self.leaveLinks()
    }

    /// Call from the socket's loop.
    func cut(_ socket: LiveSocket, _ reason: LogoutReason) {
        self.state.withLock { state in
            state.cut += 1
            state.openLinks += 1
        }
        socket.whenLinksClosed { self.leaveLinks() }
        socket.endAuthority(reason)
    }

    private func leaveLinks() {
        let isLast = self.state.withLock { state in
            state.openLinks -= 1
            return state.openLinks == 0
        }
        if isLast { self.done.linksClosed() }
    }
}
