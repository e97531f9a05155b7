/// Counts durations in buckets whose width grows with the value: exact below 128 us, else within 0.8 %.
struct LatencyHistogram: Sendable, Equatable {
    /// Buckets for each doubling.
    private static let subBits = 7
    private static let subCount = 1 << subBits
    /// Durations from 2^36 us (19 hours) on count as that.
    private static let ceiling: UInt64 = (1 << 36) - 1

    private var counts: [UInt64] = []
    private(set) var count: UInt64 = 0
    /// The smallest and the largest recorded value, exact; 0 when nothing is recorded.
    private(set) var minimum: UInt64 = 0
    private(set) var maximum: UInt64 = 0
    private var sum: UInt64 = 0

    /// - Parameter microseconds: a duration.
    mutating func record(_ microseconds: UInt64) {
        let value = min(microseconds, Self.ceiling)
        let bucket = Self.bucket(of: value)
        if bucket >= self.counts.count {
            self.counts.append(contentsOf: repeatElement(0, count: bucket + 1 - self.counts.count))
        }
        self.counts[bucket] += 1
        self.minimum = self.count == 0 ? value : min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        self.count += 1
        self.sum += value
    }

    mutating func merge(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        if other.counts.count > self.counts.count {
            self.counts.append(contentsOf: repeatElement(0, count: other.counts.count - self.counts.count))
        }
        for (bucket, count) in other.counts.enumerated() { self.counts[bucket] += count }
        self.minimum = self.count == 0 ? other.minimum : min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.count += other.count
        self.sum += other.sum
    }

    /// - Parameter percentile: 0 to 100.
    /// - Returns: microseconds that this share of the recorded values does not exceed (the upper end of its bucket, at
    ///   most the maximum); 0 when nothing is recorded.
    func value(at percentile: Double) -> UInt64 {
        guard self.count > 0 else { return 0 }
        let rank = max(1, UInt64((percentile / 100 * Double(self.count)).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, count) in self.counts.enumerated() {
            seen += count
            if seen >= rank { return min(Self.upperEnd(of: bucket), self.maximum) }
        }
        return self.maximum
    }

    var mean: Double { self.count == 0 ? 0 : Double(self.sum) / Double(self.count) }

    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(Self.subCount) else { return Int(value) }
        // The leading bit is implied: the doubling's number and the seven bits behind it.
        let shift = 63 - value.leadingZeroBitCount - Self.subBits
        return (shift + 1) << Self.subBits + Int(value >> UInt64(shift)) - Self.subCount
    }

    private static func upperEnd(of bucket: Int) -> UInt64 {
        guard bucket >= Self.subCount else { return UInt64(bucket) }
        let shift = UInt64(bucket >> Self.subBits - 1)
        let start = UInt64(bucket & (Self.subCount - 1) + Self.subCount) << shift
        return start + (1 << shift) - 1
    }
}
