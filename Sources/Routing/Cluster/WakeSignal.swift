internal import Synchronization

/// A flag that any thread raises and *one* task waits for. Raising twice before a wait wakes once.
package final class WakeSignal: Sendable {
    private struct State {
        var isRaised = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    package func raise() {
        let waiter = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let waiter = state.waiter else {
                state.isRaised = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    /// Returns once raised, or when the task is cancelled.
    package func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = self.state.withLock { state -> Bool in
                    precondition(state.waiter == nil, "one task waits")
                    if state.isRaised || Task.isCancelled {
                        state.isRaised = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            self.raise()
        }
    }

    /// Returns once raised, at `deadline`, or when the task is cancelled.
    package func wait(until deadline: Int64?, clock: any ClusterClock) async {
        guard let deadline else { return await self.wait() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await clock.sleep(until: deadline) }
            group.addTask { await self.wait() }
            await group.next()
            group.cancelAll()
        }
    }
}
