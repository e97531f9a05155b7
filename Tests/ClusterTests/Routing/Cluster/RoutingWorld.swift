import Routing
import Synchronization
import Testing

/// Processes that run in turn on the test's own thread, with a clock that moves only when all of them wait. So the
/// production drivers run without a sleep and without luck: hours pass in milliseconds, and nothing races.
final class RoutingWorld: Sendable {
    fileprivate struct State {
        var now: Int64 = 0
        var order = 0
        var sleepers: [(time: Int64, order: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    fileprivate let state = Mutex(State())
    private let processes = Mutex<[RoutingProcess]>([])

    var now: Int64 { self.state.withLock { $0.now } }

    func process() -> RoutingProcess {
        let process = RoutingProcess(world: self)
        self.processes.withLock { $0.append(process) }
        return process
    }

    /// Lets processes run, and time pass when none can, until `condition`.
    func run(until condition: () -> Bool) {
        while !condition() {
            let processes = self.processes.withLock { $0 }
            var didRun = false
            for process in processes where process.step() { didRun = true }
            if didRun { continue }
            guard self.wakeNext(before: .max) else {
                Issue.record("every process waits for ever")
                return
            }
        }
    }

    /// Lets this much time pass.
    func run(for duration: Int64) {
        let end = self.now + duration
        while true {
            let processes = self.processes.withLock { $0 }
            var didRun = false
            for process in processes where process.step() { didRun = true }
            if didRun { continue }
            guard self.wakeNext(before: end) else { break }
        }
        self.state.withLock { $0.now = end }
    }

    private func wakeNext(before end: Int64) -> Bool {
        let continuation = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            let next = state.sleepers.indices.min { left, right in
                let (left, right) = (state.sleepers[left], state.sleepers[right])
                return (left.time, left.order) < (right.time, right.order)
            }
            guard let next, state.sleepers[next].time <= end else { return nil }
            state.now = max(state.now, state.sleepers[next].time)
            return state.sleepers.remove(at: next).continuation
        }
        continuation?.resume()
        return continuation != nil
    }

    fileprivate func sleep(until time: Int64) async {
        let order = self.state.withLock { state -> Int in
            state.order += 1
            return state.order
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.state.withLock { state -> Bool in
                    if state.now >= time || Task.isCancelled { return true }
                    state.sleepers.append((time, order, continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let continuation = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard let index = state.sleepers.firstIndex(where: { $0.order == order }) else { return nil }
                return state.sleepers.remove(at: index).continuation
            }
            continuation?.resume()
        }
    }
}

/// One process of a ``RoutingWorld``: the executor of its tasks, and its clock. It can be paused.
final class RoutingProcess: TaskExecutor, ClusterClock {
    private struct State {
        var jobs: [UnownedJob] = []
        var isPaused = false
    }

    private let world: RoutingWorld
    private let state = Mutex(State())

    fileprivate init(world: RoutingWorld) { self.world = world }

    func setPaused(_ isPaused: Bool) { self.state.withLock { $0.isPaused = isPaused } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.state.withLock { $0.jobs.append(job) }
    }

    /// Runs one job. - Returns: false when there is none, or the process is paused.
    fileprivate func step() -> Bool {
        let job = self.state.withLock { state -> UnownedJob? in
            state.isPaused || state.jobs.isEmpty ? nil : state.jobs.removeFirst()
        }
        job?.runSynchronously(on: self.asUnownedTaskExecutor())
        return job != nil
    }

    // MARK: Clock

    func now() -> Int64 { self.world.now }
    func sleep(until deadline: Int64) async { await self.world.sleep(until: deadline) }
    func wallTime() -> Int64 { 1_700_000_000_000 + self.world.now / 1_000_000 }
}
