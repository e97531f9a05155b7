import Metrics
import Synchronization

/// The event streams of the control API that are open: so many and no more.
final class ControlStreams: Sendable {
    let limit: Int
    private let open = Atomic<Int>(0)
    private let gauge = Gauge(label: "submergence_control_streams")
    private let refused = Counter(label: "submergence_control_streams_refused_total")

    init(limit: Int) {
        self.limit = limit
    }

    /// One open stream; it ends with the last reference to it.
    final class Lease: Sendable {
        private let streams: ControlStreams

        fileprivate init(_ streams: ControlStreams) {
            self.streams = streams
        }

        deinit { self.streams.change(by: -1) }
    }

    /// - Returns: nil when there are too many.
    func lease() -> Lease? {
        guard self.open.add(1, ordering: .relaxed).newValue <= self.limit else {
            self.open.subtract(1, ordering: .relaxed)
            self.refused.increment()
            return nil
        }
        self.gauge.record(self.open.load(ordering: .relaxed))
        return Lease(self)
    }

    private func change(by amount: Int) {
        self.gauge.record(self.open.add(amount, ordering: .relaxed).newValue)
    }
}
