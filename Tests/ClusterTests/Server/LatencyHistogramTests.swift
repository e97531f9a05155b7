import Testing

@testable import Server

/// The load client's percentiles.
@Suite struct LatencyHistogramTests {
    @Test("Small durations are exact")
    func exact() {
        var histogram = LatencyHistogram()
        for value in 0..<UInt64(100) { histogram.record(value) }
        #expect(histogram.count == 100)
        #expect(histogram.minimum == 0)
        #expect(histogram.maximum == 99)
        #expect(histogram.value(at: 50) == 49)
        #expect(histogram.value(at: 99) == 98)
        #expect(histogram.value(at: 100) == 99)
        #expect(histogram.mean == 49.5)
    }

    @Test("Every size is told within 0.8 %, and never too low", arguments: [128, 129, 255, 256, 1000, 65_535, 1 << 30])
    func precision(value: UInt64) {
        var histogram = LatencyHistogram()
        histogram.record(value)
        histogram.record(value * 2)
        let told = histogram.value(at: 50)
        #expect(told >= value)
        #expect(Double(told - value) <= Double(value) * 0.008)
        #expect(histogram.value(at: 100) == value * 2)
    }

    @Test("Percentiles agree with a sorted list", arguments: [UInt64(1), 2, 3])
    func sorted(seed: UInt64) {
        var state = seed
        var values: [UInt64] = []
        var histogram = LatencyHistogram()
        for _ in 0..<5000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = (state >> 33) >> (state >> 59)
            values.append(value)
            histogram.record(value)
        }
        values.sort()
        for percentile in [1.0, 50, 90, 99, 99.9] {
            let exact = values[Int((percentile / 100 * 5000).rounded(.up)) - 1]
            let told = histogram.value(at: percentile)
            #expect(told >= exact && Double(told) <= Double(exact) * 1.008 + 1, "seed \(seed), \(percentile) %")
        }
    }

    @Test("Merging is the same as recording in one")
    func merging() {
        var left = LatencyHistogram()
        var right = LatencyHistogram()
        var both = LatencyHistogram()
        for value in [3, 500, 70_000] as [UInt64] {
            left.record(value)
            both.record(value)
        }
        for value in [1, 90_000_000] as [UInt64] {
            right.record(value)
            both.record(value)
        }
        left.merge(right)
        #expect(left == both)
        right.merge(LatencyHistogram())
        #expect(right.count == 2)
        #expect(LatencyHistogram().value(at: 99) == 0)
    }

    @Test("A duration beyond all bounds counts as the longest")
    func ceiling() {
        var histogram = LatencyHistogram()
        histogram.record(.max)
        #expect(histogram.value(at: 50) == (1 << 36) - 1)
    }
}
