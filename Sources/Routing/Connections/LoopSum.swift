import Synchronization

/// Adds up the answers of several loops.
package final class LoopSum: Sendable {
    private let state: Mutex<(missing: Int, total: Int)>
    private let completion: @Sendable (Int) -> Void

    package init(parts: Int, completion: @escaping @Sendable (Int) -> Void) {
        self.state = Mutex((parts, 0))
        self.completion = completion
    }

    package func add(_ count: Int) {
        let total: Int? = self.state.withLock { state in
            state.missing -= 1
            state.total += count
            return state.missing == 0 ? state.total : nil
        }
        if let total { self.completion(total) }
    }
}
