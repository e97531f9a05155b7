internal import Synchronization

/// Lets a bounded number of tasks go at one time; a bounded number waits, in order.
final class TurnGate: Sendable {
    private struct State {
        var queue: TurnQueue
        var waiters: [TurnQueue.Ticket: CheckedContinuation<Bool, Never>] = [:]
        /// Tasks that were cancelled, or given their turn, before they began to wait.
        var early: [TurnQueue.Ticket: Bool] = [:]
    }

    private let state: Mutex<State>

    init(limit: Int, waitingLimit: Int) {
        self.state = Mutex(State(queue: TurnQueue(limit: limit, waitingLimit: waitingLimit)))
    }

    var counts: (running: Int, waiting: Int) { self.state.withLock { ($0.queue.running, $0.queue.waiting) } }

    enum Outcome: Sendable, Equatable {
        /// To be followed by ``leave()``.
        case turn
        case full
        case cancelled
    }

    func enter() async -> Outcome {
        let entry = self.state.withLock { $0.queue.enter() }
        switch entry {
        case .turn: return .turn
        case .full: return .full
        case .wait(let ticket):
            let hasTurn = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let early = self.state.withLock { state -> Bool? in
                        if let early = state.early.removeValue(forKey: ticket) { return early }
                        state.waiters[ticket] = continuation
                        return nil
                    }
                    if let early { continuation.resume(returning: early) }
                }
            } onCancel: {
                let waiter = self.state.withLock { state -> CheckedContinuation<Bool, Never>? in
                    guard state.queue.cancel(ticket) else { return nil }
                    if let waiter = state.waiters.removeValue(forKey: ticket) { return waiter }
                    state.early[ticket] = false
                    return nil
                }
                waiter?.resume(returning: false)
            }
            return hasTurn ? .turn : .cancelled
        }
    }

    func leave() {
        let waiter = self.state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard let next = state.queue.leave() else { return nil }
            if let waiter = state.waiters.removeValue(forKey: next) { return waiter }
            state.early[next] = true
            return nil
        }
        waiter?.resume(returning: true)
    }
}
