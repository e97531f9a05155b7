import Routing
import Synchronization
import Wire

/// Keeps what arrives from the bus, and tells when enough has.
final class ConformanceReceiver: ClusterReceiver {
    struct Arrival: Sendable, Equatable {
        let sender: NodeID
        let message: BusMessage
    }

    private struct State {
        var arrivals: [Arrival] = []
        var gaps: [String] = []
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var arrivals: [Arrival] { self.state.withLock { $0.arrivals } }
    var gaps: [String] { self.state.withLock { $0.gaps } }

    func messages(from sender: NodeID) -> [BusMessage] { self.arrivals.filter { $0.sender == sender }.map(\.message) }

    func receive(_ messages: [BusMessage], from sender: NodeID) {
        let ready = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.arrivals += messages.map { Arrival(sender: sender, message: $0) }
            let count = state.arrivals.count
            let ready = state.waiters.filter { $0.count <= count }.map(\.continuation)
            state.waiters.removeAll { $0.count <= count }
            return ready
        }
        for continuation in ready { continuation.resume() }
    }

    func gap(_ reason: String) { self.state.withLock { $0.gaps.append(reason) } }

    /// Returns when so many messages have arrived; the suite's time limit is the only other way out.
    func wait(for count: Int) async {
        await withCheckedContinuation { continuation in
            let isReady = self.state.withLock { state -> Bool in
                if state.arrivals.count >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}
