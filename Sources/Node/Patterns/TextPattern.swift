/// A regular expression that cannot hang a node (SPEC RM-4): ECMA-262 without what is not regular, matched in time linear
/// in the text.
///
/// Characters are Unicode scalars, `$` is the end of the text only, and case counts.
struct TextPattern: Sendable {
    /// A match, by captures: the first is the whole.
    struct Match: Equatable {
        /// nil for a capture that took no part.
        let captures: [String?]
        /// The first scalar of the match, and the one behind it.
        let range: Range<Int>
    }

    /// A text that takes more steps than allowed.
    struct Exhausted: Error, Equatable {}

    let text: String
    /// Of the captures, in their order.
    let names: [String?]
    private let program: PatternProgram

    /// - Parameter isWhole: it must match the text from end to end; else anywhere in it.
    init(_ text: String, isWhole: Bool = false) throws(PatternError) {
        let (syntax, names) = try PatternParser.parse(text)
        self.text = text
        self.names = names
        self.program = try PatternProgram(
            isWhole ? .sequence([.assertion(.start), syntax, .assertion(.end)]) : syntax, captureCount: names.count)
    }

    /// Whether there is a match.
    /// - Parameter steps: what may be spent; less what was.
    func matches(_ text: String, steps: inout Int) throws(Exhausted) -> Bool {
        var machine = PatternMachine(
            self.program, text: text.unicodeScalars.map(\.value), isCapturing: false, limit: steps)
        let outcome = machine.run()
        steps -= machine.steps
        guard outcome != .exhausted else { throw Exhausted() }
        return outcome != .noMatch
    }

    /// Steps that no match in a text of so many bytes can exceed: each instruction is left by two ways at most.
    static func stepLimit(bytes: Int) -> Int { 3 * PatternProgram.sizeLimit * (bytes + 1) }

    /// The first match with its captures.
    func firstMatch(in text: String, limit: Int) throws(Exhausted) -> Match? {
        let scalars = text.unicodeScalars.map(\.value)
        var machine = PatternMachine(self.program, text: scalars, isCapturing: true, limit: limit)
        switch machine.run() {
        case .exhausted: throw Exhausted()
        case .noMatch: return nil
        case .match(let slots):
            let captures = stride(from: 0, to: slots.count, by: 2).map { slot -> String? in
                guard slots[slot] >= 0, slots[slot + 1] >= 0 else { return nil }
                return String(
                    String.UnicodeScalarView(scalars[slots[slot]..<slots[slot + 1]].compactMap(Unicode.Scalar.init)))
            }
            return Match(captures: captures, range: slots[0]..<slots[1])
        }
    }
}
