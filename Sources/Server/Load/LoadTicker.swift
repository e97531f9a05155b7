/// Once a second: a line of progress, and a sample of the node's memory.
struct LoadTicker {
    private static let interval: UInt64 = 1_000_000

    private let plan: LoadPlan
    private let progress: (String) -> Void
    private var next: UInt64 = 0
    private var last = LoadTally()
    private var lastTime: UInt64 = 0
    private(set) var memory: ProcessMemory?

    init(plan: LoadPlan, progress: @escaping (String) -> Void) {
        self.plan = plan
        self.progress = progress
        self.memory = plan.pid.map { ProcessMemory(pid: $0) }
    }

    mutating func tick(_ phase: String, _ snapshot: LoadSnapshot, at now: UInt64) {
        guard now >= self.next else { return }
        self.next = now + Self.interval
        self.memory?.sample()
        let tally = snapshot.tally
        let seconds = Double(now - self.lastTime) / 1_000_000
        func rate(_ path: KeyPath<LoadTally, Int>) -> Int {
            Int(Double(tally[keyPath: path] - self.last[keyPath: path]) / max(seconds, 0.001))
        }
        var line = "\(now / 1_000_000) s  \(phase)  live \(snapshot.live)"
        if phase == "connecting" { line += "  \(rate(\.connects)) connects/s" }
        let failures = tally.failures.values.reduce(0, +)
        if failures > 0 { line += "  failed connects \(failures)" }
        switch self.plan.work {
        case .hold, .storm: break
        case .echo: line += "  answered \(rate(\.acknowledged))/s"
        case .receive:
            line += "  published \(rate(\.sent))/s  received \(rate(\.received))/s"
            line += "  duplicates \(tally.duplicates)  reordered \(tally.reordered)  gaps \(tally.gaps)"
            if self.plan.cuts != nil {
                line += "  cuts \(tally.cuts)  recovered \(tally.recovered)"
                line += "  not \(tally.notRecovered + tally.returned)"
            }
        }
        if tally.latency.count > 0 { line += "  p99 \(Double(tally.latency.value(at: 99)) / 1000) ms" }
        let drops = tally.drops.values.reduce(0, +)
        if drops > 0 { line += "  dropped \(drops)" }
        self.progress(line)
        self.last = tally
        self.lastTime = now
    }
}
