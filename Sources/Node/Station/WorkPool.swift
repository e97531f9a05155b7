import Metrics
import Synchronization

/// Runs asynchronous work that event loops start (authentication, application handlers) as children of one task group: no
/// unstructured task, bounded, and stopping ends it.
final class WorkPool: Sendable {
    typealias Work = @Sendable () async -> Void

    private let limit: Int
    private let running = Atomic<Int>(0)
    private let arrivals: AsyncStream<Work>
    private let arrival: AsyncStream<Work>.Continuation
    private let refused: Counter
    private let gauge: Gauge

    /// - Parameter limit: pieces of work that run or wait at once; beyond it ``submit(_:)`` refuses.
    init(name: String, limit: Int) {
        self.limit = limit
        // Bounded by `limit`: `running` counts what waits in here, too.
        (self.arrivals, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(limit))
        self.refused = Counter(label: "submergence_work_refused_total", dimensions: [("pool", name)])
        self.gauge = Gauge(label: "submergence_work_running", dimensions: [("pool", name)])
    }

    /// - Returns: false when the pool is full or has ended: the work will not run.
    func submit(_ work: @escaping Work) -> Bool {
        let now = self.running.add(1, ordering: .relaxed).newValue
        if now <= self.limit, case .enqueued = self.arrival.yield(work) { return true }
        self.running.subtract(1, ordering: .relaxed)
        self.refused.increment()
        return false
    }

    /// Serves until the task is cancelled; work under way is cancelled with it and awaited.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await work in self.arrivals {
                self.gauge.record(self.running.load(ordering: .relaxed))
                group.addTask {
                    await work()
                    self.running.subtract(1, ordering: .relaxed)
                }
            }
            self.arrival.finish()
        }
    }
}
