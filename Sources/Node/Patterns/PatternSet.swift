/// A set of Unicode scalars: a character class.
struct PatternSet: Sendable, Hashable {
    /// In order, and apart from each other, once ``normalize()`` has run.
    private var ranges: [ClosedRange<UInt32>] = []
    private var categories: PatternCategories = []
    private(set) var isInverted = false
    /// Answers for the first 128 scalars, which are most of what comes.
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(_ ranges: [ClosedRange<UInt32>] = [], categories: PatternCategories = [], isInverted: Bool = false) {
        self.ranges = ranges
        self.categories = categories
        self.isInverted = isInverted
        self.normalize()
    }

    static let digit = PatternSet([0x30...0x39])
    /// ECMA-262's `\w` without the flag `i`.
    static let word = PatternSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    /// ECMA-262's WhiteSpace and LineTerminator.
    static let space = PatternSet([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])
    /// `.`: all but line terminators.
    static let dot = PatternSet([0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029], isInverted: true)

    mutating func insert(_ range: ClosedRange<UInt32>) {
        self.ranges.append(range)
    }

    mutating func insert(_ categories: PatternCategories) {
        self.categories.formUnion(categories)
    }

    /// Adds `\d`, `\W`, …; the set itself is not inverted yet.
    mutating func formUnion(_ other: PatternSet) {
        if other.isInverted {
            // Only sets of ranges are: the complement has ranges as well.
            var next: UInt32 = 0
            for range in other.ranges {
                if range.lowerBound > next { self.ranges.append(next...(range.lowerBound - 1)) }
                next = range.upperBound + 1
            }
            self.ranges.append(next...0x10FFFF)
        } else {
            self.ranges += other.ranges
            self.categories.formUnion(other.categories)
        }
    }

    /// To be called once nothing is added any more.
    mutating func normalize(inverting: Bool = false) {
        if inverting { self.isInverted.toggle() }
        var merged: [ClosedRange<UInt32>] = []
        for range in self.ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
        (self.low, self.high) = (0, 0)
        for value in UInt32(0)..<64 {
            if self.search(value) { self.low |= 1 << UInt64(value) }
            if self.search(value + 64) { self.high |= 1 << UInt64(value) }
        }
    }

    @inline(__always)
    func contains(_ value: UInt32) -> Bool {
        if value < 64 { return self.low >> UInt64(value) & 1 == 1 }
        if value < 128 { return self.high >> UInt64(value - 64) & 1 == 1 }
        return self.search(value)
    }

    private func search(_ value: UInt32) -> Bool {
        var (low, high) = (0, self.ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if self.ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        var isIn = low < self.ranges.count && self.ranges[low].contains(value)
        if !isIn, !self.categories.isEmpty, let scalar = Unicode.Scalar(value) {
            isIn = self.categories.contains(scalar)
        }
        return isIn != self.isInverted
    }
}
