import Foundation
import Testing

@testable import Node

/// Random patterns against Foundation's engine, which backtracks.
@Suite("RM-4: regular expressions against NSRegularExpression")
struct TextPatternDifferenceTests {
    /// Small patterns over a small alphabet. ICU and ECMA-262 differ in empty iterations of loops, and in captures of
    /// earlier iterations, so what is repeated takes a character and captures nothing.
    private struct Maker {
        var random: SystemlessGenerator

        mutating func pattern(_ depth: Int) -> String {
            let parts = (0..<Int.random(in: 1...3, using: &self.random)).map { _ in self.sequence(depth) }
            return parts.joined(separator: "|")
        }

        private mutating func sequence(_ depth: Int) -> String {
            (0..<Int.random(in: 1...3, using: &self.random)).map { _ in self.term(depth) }.joined()
        }

        private mutating func term(_ depth: Int) -> String {
            switch Int.random(in: 0..<10, using: &self.random) {
            case 0: return ["^", "$", #"\b"#, #"\B"#].randomElement(using: &self.random) ?? ""
            case 1 where depth > 0: return "(" + self.pattern(depth - 1) + ")"
            case 2 where depth > 0: return "(?:" + self.pattern(depth - 1) + ")"
            case 3...5: return self.character() + self.quantifier()
            case 6 where depth > 0:
                return "(?:" + self.character() + self.plain(depth - 1) + "|" + self.character() + ")"
                    + self.quantifier()
            default: return self.character()
            }
        }

        /// Without captures.
        private mutating func plain(_ depth: Int) -> String {
            (0..<Int.random(in: 0...2, using: &self.random)).map { _ in self.character() + self.quantifier() }.joined()
        }

        private mutating func character() -> String {
            [
                "a", "b", "c", ".", "[ab]", "[^a]", #"\w"#, #"\d"#, #"\s"#, #"\W"#, "[b-c-]", "1", #"[\d\s]"#, "é",
                #"\x62"#,
            ]
            .randomElement(using: &self.random) ?? "a"
        }

        private mutating func quantifier() -> String {
            let quantifier =
                ["", "*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,3}"].randomElement(using: &self.random) ?? ""
            return quantifier.isEmpty || Bool.random(using: &self.random) ? quantifier : quantifier + "?"
        }

        mutating func text() -> String {
            (0..<Int.random(in: 0...12, using: &self.random)).map { _ in
                ["a", "b", "c", "1", " ", "-", "a", "b", "é"].randomElement(using: &self.random) ?? "a"
            }.joined()
        }
    }

    /// SplitMix64, so that a seed says all.
    private struct SystemlessGenerator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = self.state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    @Test("The same place and the same captures", arguments: 1...8 as ClosedRange<UInt64>)
    func agreement(seed: UInt64) throws {
        var maker = Maker(random: SystemlessGenerator(state: seed))
        var found = 0
        for _ in 0..<400 {
            let text = maker.pattern(2)
            // ICU's word boundaries and \w know Unicode; ECMA-262's do not.
            let isASCII = text.contains(#"\w"#) || text.contains(#"\W"#) || text.lowercased().contains(#"\b"#)
            let ours = try TextPattern(text)
            let theirs = try NSRegularExpression(pattern: text)
            for _ in 0..<6 {
                let subject = isASCII ? maker.text().filter(\.isASCII) : maker.text()
                let mine = try ours.firstMatch(in: subject, limit: 1_000_000)
                let range = NSRange(subject.startIndex..., in: subject)
                let other = theirs.firstMatch(in: subject, range: range).map { result in
                    (0..<result.numberOfRanges).map {
                        Range(result.range(at: $0), in: subject).map { String(subject[$0]) }
                    }
                }
                #expect(mine?.captures == other, "seed \(seed), pattern \(text), text \(subject)")
                // Every text here is one UTF-16 unit a scalar.
                if let mine, let place = theirs.firstMatch(in: subject, range: range)?.range {
                    #expect(mine.range == place.location..<(place.location + place.length), "\(text), \(subject)")
                    found += 1
                }
            }
        }
        #expect(found > 500)
    }
}
