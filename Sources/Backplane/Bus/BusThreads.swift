import Foundation
import Synchronization

/// The threads of one adapter: libmongoc blocks, so everything that talks to it has a thread of its own.
final class BusThreads: Sendable {
    private struct State {
        var running = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// - Parameter name: at most 15 bytes are shown by the system.
    func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.running += 1 }
        let thread = Thread {
            body()
            let waiters = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
                state.running -= 1
                guard state.running == 0 else { return [] }
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }
        thread.name = name
        thread.start()
    }

    /// Waits for the end of every thread; whoever calls has told them to stop.
    func join() async {
        await withCheckedContinuation { continuation in
            let isDone = self.state.withLock { state in
                if state.running > 0 { state.waiters.append(continuation) }
                return state.running == 0
            }
            if isDone { continuation.resume() }
        }
    }
}
