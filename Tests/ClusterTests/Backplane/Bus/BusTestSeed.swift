import Routing

/// The same seed gives the same history on every machine.
struct BusTestSeed: RandomNumberGenerator {
    private var generator: SplitMix64

    init(_ seed: UInt64) { self.generator = SplitMix64(seed: seed &* 0x2545_F491_4F6C_DD1D) }

    mutating func next() -> UInt64 { self.generator.next() }

    /// True in so many of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}
