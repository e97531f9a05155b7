public import Metrics
internal import Synchronization

/// Collects the metrics of swift-metrics and writes them in the Prometheus text format 0.0.4.
///
/// Counters get the suffix `_total` and timers `_seconds` where they lack it. A series lives as long as the process:
/// handles of the same name and labels share it. Beyond ``maximumSeries`` a new one is not kept, only counted
/// (`submergence_metrics_refused_total`), so that labels cannot fill the memory.
public final class PrometheusMetricsFactory: MetricsFactory {
    /// Seconds: from a tenth of a millisecond to half a minute.
    public static let timerBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
    ]
    /// Powers of four, for sizes and counts.
    public static let recorderBounds: [Double] = [
        1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304,
    ]

    private enum Series: Sendable {
        case counter(CounterSeries)
        case sum(SumSeries)
        case gauge(GaugeSeries)
        case histogram(HistogramSeries)

        var type: String {
            switch self {
            case .counter, .sum: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Table {
        /// By name, then by the labels as they are written.
        var families: [String: [String: Series]] = [:]
        var count = 0
    }

    private let maximumSeries: Int
    private let table = Mutex(Table())
    private let refused = CounterSeries()

    public init(maximumSeries: Int = 10_000) {
        self.maximumSeries = maximumSeries
    }

    /// The whole page, families and series in the order of their names.
    public func text() -> String {
        let families = self.table.withLock { $0.families }
        var page = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            guard let type = family.first?.value.type else { continue }
            page += "# TYPE \(name) \(type)\n"
            for (labels, series) in family.sorted(by: { $0.key < $1.key }) {
                Self.write(name, labels, series, to: &page)
            }
        }
        page += "# TYPE submergence_metrics_refused_total counter\n"
        page += "submergence_metrics_refused_total \(self.refused.reading)\n"
        return page
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let series = self.series(Self.name(label, suffix: "_total"), dimensions) { .counter(CounterSeries()) }
        if case .counter(let counter)? = series { return counter }
        return CounterSeries()
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        let series = self.series(Self.name(label, suffix: "_total"), dimensions) { .sum(SumSeries()) }
        if case .sum(let sum)? = series { return sum }
        return SumSeries()
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.gauge(label, dimensions)
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return self.gauge(label, dimensions) }
        let series = self.series(MetricName.metric(label), dimensions) {
            .histogram(HistogramSeries(bounds: Self.recorderBounds))
        }
        if case .histogram(let histogram)? = series { return histogram }
        return HistogramSeries(bounds: Self.recorderBounds)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let series = self.series(Self.name(label, suffix: "_seconds"), dimensions) {
            .histogram(HistogramSeries(bounds: Self.timerBounds))
        }
        if case .histogram(let histogram)? = series { return histogram }
        return HistogramSeries(bounds: Self.timerBounds)
    }

    // Series outlive their handles: a counter that started again at 0 for each handle would count nothing.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        let series = self.series(MetricName.metric(label), dimensions) { .gauge(GaugeSeries()) }
        if case .gauge(let gauge)? = series { return gauge }
        return GaugeSeries()
    }

    /// - Returns: nil when the series is refused: there are too many, or the name is taken by another kind.
    private func series(
        _ name: String, _ dimensions: [(String, String)], make: () -> Series
    ) -> Series? {
        let labels = dimensions.sorted { $0.0 < $1.0 }
            .map { "\(MetricName.label($0.0))=\"\(MetricName.escaped($0.1))\"" }.joined(separator: ",")
        let series = self.table.withLock { table -> Series? in
            if let series = table.families[name]?[labels] { return series }
            guard table.count < self.maximumSeries else { return nil }
            let series = make()
            if let other = table.families[name]?.first?.value, other.type != series.type { return nil }
            table.families[name, default: [:]][labels] = series
            table.count += 1
            return series
        }
        if series == nil { self.refused.increment(by: 1) }
        return series
    }

    private static func name(_ label: String, suffix: String) -> String {
        let name = MetricName.metric(label)
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    private static func write(_ name: String, _ labels: String, _ series: Series, to page: inout String) {
        let braced = labels.isEmpty ? "" : "{\(labels)}"
        switch series {
        case .counter(let counter): page += "\(name)\(braced) \(counter.reading)\n"
        case .sum(let sum): page += "\(name)\(braced) \(self.number(sum.reading))\n"
        case .gauge(let gauge): page += "\(name)\(braced) \(self.number(gauge.reading))\n"
        case .histogram(let histogram):
            let reading = histogram.snapshot
            let lead = labels.isEmpty ? "" : labels + ","
            var total: Int64 = 0
            for (bound, count) in zip(histogram.bounds, reading.counts) {
                total += count
                page += "\(name)_bucket{\(lead)le=\"\(self.number(bound))\"} \(total)\n"
            }
            total += reading.counts.last ?? 0
            page += "\(name)_bucket{\(lead)le=\"+Inf\"} \(total)\n"
            page += "\(name)_sum\(braced) \(self.number(reading.sum))\n"
            page += "\(name)_count\(braced) \(total)\n"
        }
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        let text = value.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
