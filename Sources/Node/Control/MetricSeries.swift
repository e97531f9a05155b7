internal import Metrics
internal import Synchronization

/// A monotonic count of whole things. Lock-free.
final class CounterSeries: CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        if amount > 0 { self.value.wrappingAdd(amount, ordering: .relaxed) }
    }

    func reset() { self.value.store(0, ordering: .relaxed) }

    var reading: Int64 { self.value.load(ordering: .relaxed) }
}

/// A monotonic sum. Lock-free.
final class SumSeries: FloatingPointCounterHandler {
    private let value = AtomicDouble()

    func increment(by amount: Double) {
        if amount > 0, amount.isFinite { self.value.add(amount) }
    }

    func reset() { self.value.store(0) }

    var reading: Double { self.value.load() }
}

/// A value that goes up and down: a `Gauge` or a `Meter`. Lock-free.
final class GaugeSeries: MeterHandler, RecorderHandler {
    private let value = AtomicDouble()

    func set(_ value: Int64) { self.value.store(Double(value)) }
    func set(_ value: Double) { self.value.store(value) }
    func increment(by amount: Double) { self.value.add(amount) }
    func decrement(by amount: Double) { self.value.add(-amount) }
    func record(_ value: Int64) { self.value.store(Double(value)) }
    func record(_ value: Double) { self.value.store(value) }

    var reading: Double { self.value.load() }
}

/// A distribution over fixed buckets: a `Timer` in seconds, or a `Recorder` in its own unit.
final class HistogramSeries: TimerHandler, RecorderHandler {
    struct Reading {
        /// One count per bound, not cumulative, and one for what is above all of them.
        var counts: [Int64]
        var sum: Double
    }

    let bounds: [Double]
    private let reading: Mutex<Reading>

    /// - Parameter bounds: ascending upper bounds.
    init(bounds: [Double]) {
        self.bounds = bounds
        self.reading = Mutex(Reading(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0))
    }

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }
    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = self.bounds.firstIndex { value <= $0 } ?? self.bounds.count
        self.reading.withLock { reading in
            reading.counts[bucket] += 1
            reading.sum += value
        }
    }

    var snapshot: Reading { self.reading.withLock { $0 } }
}

/// A `Double` behind an atomic word.
private final class AtomicDouble: Sendable {
    private let bits = Atomic<UInt64>(0)

    func load() -> Double { Double(bitPattern: self.bits.load(ordering: .relaxed)) }
    func store(_ value: Double) { self.bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var expected = self.bits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: expected) + amount).bitPattern
            let (isExchanged, original) = self.bits.weakCompareExchange(
                expected: expected, desired: next, ordering: .relaxed)
            if isExchanged { return }
            expected = original
        }
    }
}
