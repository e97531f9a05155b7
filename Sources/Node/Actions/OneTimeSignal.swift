internal import Synchronization

/// Something that happens once. Any number of tasks may wait for it.
final class OneTimeSignal: Sendable {
    private struct State {
        var hasFired = false
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        /// Tasks that were cancelled before they began to wait.
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    var hasFired: Bool { self.state.withLock(\.hasFired) }

    /// - Returns: false when it had happened before.
    @discardableResult
    func fire() -> Bool {
        let waiters = self.state.withLock { state -> [CheckedContinuation<Void, Never>]? in
            guard !state.hasFired else { return nil }
            state.hasFired = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters ?? [] { waiter.resume() }
        return waiters != nil
    }

    /// Returns once it has happened, or once the task is cancelled.
    func wait() async {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let isOver = self.state.withLock { state in
                    if state.hasFired || state.cancelled.remove(id) != nil { return true }
                    state.waiters[id] = waiter
                    return false
                }
                if isOver { waiter.resume() }
            }
        } onCancel: {
            let waiter = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
                if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
                if !state.hasFired { state.cancelled.insert(id) }
                return nil
            }
            waiter?.resume()
        }
    }
}
