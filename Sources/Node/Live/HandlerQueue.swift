import DequeModule
import NIOCore
import Synchronization

/// Runs the asynchronous handlers of one session one after the other, so that its order holds and a slow handler holds up
/// nobody else (SPEC WS-2). Stops the socket's reading while too many wait.
final class HandlerQueue: Sendable {
    typealias Job = @Sendable () async -> Void

    /// Events that may wait before the socket is not read any more.
    static let highWatermark = 64

    private struct State {
        var waiting: Deque<Job> = []
        var isRunning = false
        var isPaused = false
        var isEnded = false
    }

    private let state = Mutex(State())
    private let work: WorkPool
    private let setReading: @Sendable (Bool) -> Void

    /// - Parameter setReading: stops or resumes the socket's reading; called from any thread.
    init(work: WorkPool, setReading: @escaping @Sendable (Bool) -> Void) {
        self.work = work
        self.setReading = setReading
    }

    /// - Returns: false when the node runs as many handlers as it may: the event is not handled.
    func add(_ job: @escaping Job) -> Bool {
        let (starts, pauses) = self.state.withLock { state in
            guard !state.isEnded else { return (false, false) }
            state.waiting.append(job)
            let pauses = !state.isPaused && state.waiting.count >= Self.highWatermark
            if pauses { state.isPaused = true }
            defer { state.isRunning = true }
            return (!state.isRunning, pauses)
        }
        if pauses { self.setReading(false) }
        guard starts else { return true }
        if self.work.submit({ await self.drain() }) { return true }
        self.state.withLock { state in
            state.isRunning = false
            state.waiting.removeAll()
        }
        return false
    }

    /// The session has ended: what has come in before still runs, to the end, and nothing is added.
    func end() {
        self.state.withLock { $0.isEnded = true }
    }

    private func drain() async {
        while true {
            let (job, resumes) = self.state.withLock { state -> (Job?, Bool) in
                guard let job = state.waiting.popFirst() else {
                    state.isRunning = false
                    return (nil, false)
                }
                let resumes = state.isPaused && state.waiting.count <= Self.highWatermark / 2
                if resumes { state.isPaused = false }
                return (job, resumes)
            }
            if resumes { self.setReading(true) }
            guard let job else { return }
            await job()
        }
    }
}
