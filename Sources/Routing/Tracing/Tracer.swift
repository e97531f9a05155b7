/// Writes down what becomes of traced events at one incarnation of a node. An event that is not traced costs the test
/// whether it is.
package struct Tracer: Sendable {
    private let store: any TraceStore
    private let node: String
    /// Share of events that are traced unasked, 0 to 1.
    private let rate: Double
    /// Milliseconds of the cluster's clock.
    private let clock: @Sendable () -> Int64
    private let log: Log

    /// Tells the log that connections of this node were given an event that belongs to a trace of the application's.
    package typealias Log = @Sendable (_ event: TraceID, _ span: TraceSpan, _ written: Int, _ pending: Int) -> Void

    package init(
        store: any TraceStore, node: String, rate: Double, clock: @escaping @Sendable () -> Int64,
        log: @escaping Log = { _, _, _, _ in }
    ) {
        self.store = store
        self.node = node
        self.rate = rate
        self.clock = clock
        self.log = log
    }

    /// - Returns: a name for an event that is to be traced: one that was asked for, or one that the rate has chosen.
    package func begin(isAsked: Bool) -> TraceID? {
        guard isAsked || (self.rate > 0 && Double.random(in: 0..<1) < self.rate) else { return nil }
        return .random()
    }

    /// From any thread; never blocks.
    package func note(_ event: TraceID, _ hop: TraceHop) {
        self.store.append(TraceStep(event: event, time: self.clock(), node: self.node, hop: hop))
    }

    /// What the loops of this node have written.
    package func note(_ event: TracedEvent, written parts: [WrittenDevice]) {
        var devices: [String: WrittenDevice] = [:]
        for part in parts { part.add(to: &devices) }
        for (_, device) in devices.sorted(by: { $0.key < $1.key }) { self.note(event.id, .delivered(device)) }
        guard let span = event.span, !devices.isEmpty else { return }
        let (written, pending) = parts.reduce((0, 0)) { ($0.0 + $1.written, $0.1 + $1.pending) }
        self.log(event.id, span, written, pending)
    }
}
