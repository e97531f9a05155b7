/// Why a text is not a pattern that this engine takes.
struct PatternError: Error, Sendable, Equatable, CustomStringConvertible {
    enum Code: Sendable, Equatable {
        /// `\1`, `\k<name>`: not regular, so no bound in time would hold.
        case backReference
        /// `(?=`, `(?!`, `(?<=`, `(?<!`.
        case lookAround
        /// `(?i)`, `(?>`, and what else may stand behind `(?`.
        case groupKind
        case groupName
        case groupUnclosed
        case groupNotOpen
        case escape
        case property
        case classUnclosed
        case classRange
        case nothingToRepeat
        /// `{3,1}`.
        case quantifierRange
        /// `{`, `}` or `]` that belongs to nothing.
        case loneBracket
        /// More than ``PatternParser/depthLimit`` groups in each other.
        case tooDeep
        /// More than ``PatternParser/captureLimit`` captures.
        case tooManyCaptures
        /// More than ``PatternProgram/sizeLimit`` instructions, counted repetitions written out.
        case tooLarge
    }

    let code: Code
    /// Of the character where it was found, from 0; nil where it is the whole.
    let offset: Int?

    var description: String {
        let words =
            switch self.code {
            case .backReference: "back-references are not supported, as they cannot be matched in bounded time"
            case .lookAround: "look-ahead and look-behind are not supported"
            case .groupKind: "an unknown kind of group"
            case .groupName: "a group's name is missing, malformed or there twice"
            case .groupUnclosed: "a group is not closed"
            case .groupNotOpen: "a parenthesis closes nothing"
            case .escape: "an unknown escape"
            case .property: "a Unicode property that is not supported (general categories are)"
            case .classUnclosed: "a character class is not closed"
            case .classRange: "a range in a character class is out of order or has no single characters as its ends"
            case .nothingToRepeat: "a quantifier has nothing to repeat"
            case .quantifierRange: "a quantifier's bounds are out of order"
            case .loneBracket: "a bracket that belongs to nothing must be escaped"
            case .tooDeep: "its groups are nested too deeply"
            case .tooManyCaptures: "it has too many captures"
            case .tooLarge: "it is too large, with its counted repetitions written out"
            }
        return self.offset.map { "\(words) (at character \($0))" } ?? words
    }
}
