/// Says when the events of an open-loop load are due: evenly spaced from a start, however slow the answers are.
///
/// Latency is counted from the time an event was due, not from when it could be written: a stall of the server or of this
/// process shows in every event that it delayed.
struct Pacer: Sendable {
    private let interval: Double
    private let start: UInt64
    private let end: UInt64
    private var given: UInt64 = 0
    /// The longest time by which an event was handed out late, in microseconds: the load client's own lag.
    private(set) var maxLag: UInt64 = 0

    /// - Parameters:
    ///   - rate: events a second, above 0.
    ///   - start, end: microseconds; nothing is due before the one, nor from the other on.
    init(rate: Double, start: UInt64, end: UInt64) {
        self.interval = 1_000_000 / rate
        self.start = start
        self.end = end
    }

    /// - Returns: the due time of the next event if it has come, microseconds; nil when nothing is due.
    mutating func next(at now: UInt64) -> UInt64? {
        let due = self.start + UInt64(Double(self.given) * self.interval)
        guard due <= now, due < self.end else { return nil }
        self.given += 1
        self.maxLag = max(self.maxLag, now - due)
        return due
    }
}
