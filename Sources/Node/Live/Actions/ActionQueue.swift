import DequeModule

/// Decides which actions of one socket run, and which wait (SPEC §5). They start in the order in which they came, and end in any.
struct ActionQueue<Job> {
    struct Limits: Equatable {
        /// That run at once.
        var running: Int
        /// That wait beside them, and the bytes of these.
        var waiting: Int
        var waitingBytes: Int
    }

    enum Admission: Equatable {
        case run, wait, refuse
    }

    private let limits: Limits
    private var running = 0
    private var waiting: Deque<(job: Job, cost: Int)> = []
    private var waitingBytes = 0

    init(_ limits: Limits) {
        self.limits = limits
    }

    var isIdle: Bool { self.running == 0 }

    /// - Parameter cost: bytes that the job keeps while it waits.
    mutating func add(_ job: Job, cost: Int) -> Admission {
        if self.running < self.limits.running {
            self.running += 1
            return .run
        }
        guard self.waiting.count < self.limits.waiting, self.waitingBytes + cost <= self.limits.waitingBytes else {
            return .refuse
        }
        self.waiting.append((job, cost))
        self.waitingBytes += cost
        return .wait
    }

    /// One that ran has been answered.
    /// - Returns: the one that runs in its place.
    mutating func finish() -> Job? {
        precondition(self.running > 0, "only what ran is finished")
        guard let next = self.waiting.popFirst() else {
            self.running -= 1
            return nil
        }
        self.waitingBytes -= next.cost
        return next.job
    }

    /// Nobody is left who could be answered: what waits never runs.
    mutating func clear() {
        self.waiting.removeAll()
        self.waitingBytes = 0
    }
}
