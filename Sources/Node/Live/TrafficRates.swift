import NIOCore

/// How fast counts grow that never fall: over the last few samples. A value; time is an argument.
struct TrafficRates: Sendable {
    /// Samples that are kept: with one a second, rates are those of the last five.
    static let samples = 6

    private var kept: [(time: NIODeadline, totals: [DomainTraffic])] = []

    /// - Parameter totals: by the domain's number, always as many.
    mutating func add(_ totals: [DomainTraffic], at now: NIODeadline) {
        self.kept.append((now, totals))
        if self.kept.count > Self.samples { self.kept.removeFirst() }
    }

    /// A second; 0 until there are two samples.
    func rate(of slot: Int) -> TrafficCounts<Double> {
        guard let first = self.kept.first, let last = self.kept.last, last.time > first.time else { return .init() }
        let seconds = Double((last.time - first.time).nanoseconds) / 1e9
        return last.totals[slot].counts.map(with: first.totals[slot].counts) { Double(max($0 - $1, 0)) / seconds }
    }
}
