import Testing

@testable import Wire

@Suite struct WireUTF8ValidatorTests {
    /// Whether the pieces are accepted, and whether the text may end behind them.
    private func verdict(_ pieces: [[UInt8]]) -> Bool {
        var validator = UTF8Validator()
        for piece in pieces where !piece.withUnsafeBytes({ validator.accepts($0) }) { return false }
        return validator.isComplete
    }

    @Test("RFC 3629: in pieces of any size the verdict is that on the whole", arguments: [1, 2, 3, 7])
    func pieces(size: Int) {
        var generator = WireFixture.Generator(seed: UInt64(size))
        let seeds = ["κόσμε", "\u{10FFFF}\u{FFFF}\u{D7FF}\u{E000}", "plain ascii of some length", "é€😀"]
        for round in 0..<2_000 {
            var bytes = seeds.map { Array($0.utf8) }.joined().shuffled(using: &generator)
            if round.isMultiple(of: 2) { bytes = seeds.shuffled(using: &generator).flatMap { Array($0.utf8) } }
            if round.isMultiple(of: 3) { bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= 1 << (round & 7) }
            let pieces = stride(from: 0, to: bytes.count, by: size).map {
                Array(bytes[$0..<min($0 + size, bytes.count)])
            }
            #expect(
                self.verdict(pieces) == bytes.withUnsafeBytes { UTF8Validation.isValid($0) }, "round \(round): \(bytes)"
            )
        }
    }

    @Test("RFC 6455 §8.1: the first byte that cannot be mended is refused, not the end of the text")
    func early() {
        var validator = UTF8Validator()
        #expect(([0x61, 0xF4] as [UInt8]).withUnsafeBytes { validator.accepts($0) })
        #expect(!validator.isComplete)
        #expect(!([0x90] as [UInt8]).withUnsafeBytes { validator.accepts($0) })
    }
}
