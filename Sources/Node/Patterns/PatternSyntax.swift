/// A pattern as it was read.
indirect enum PatternSyntax: Sendable, Equatable {
    enum Assertion: Sendable, Equatable {
        /// `^` and `$`: the ends of the text, never of a line.
        case start, end
        /// `\b` and `\B`.
        case wordBoundary, noWordBoundary
    }

    case scalar(UInt32)
    case set(PatternSet)
    case assertion(Assertion)
    case sequence([PatternSyntax])
    case alternatives([PatternSyntax])
    /// Numbered from 1.
    case capture(PatternSyntax, Int)
    case repeated(PatternSyntax, min: Int, max: Int?, isLazy: Bool)

    /// Whether it can match without taking a character.
    var isNullable: Bool {
        switch self {
        case .scalar, .set: false
        case .assertion: true
        case .sequence(let parts): parts.allSatisfy(\.isNullable)
        case .alternatives(let parts): parts.contains(where: \.isNullable)
        case .capture(let inner, _): inner.isNullable
        case .repeated(let inner, let min, _, _): min == 0 || inner.isNullable
        }
    }

    /// Whether it matches only where the text starts.
    var isAnchored: Bool {
        switch self {
        case .scalar, .set: false
        case .assertion(let assertion): assertion == .start
        case .sequence(let parts): parts.contains(where: \.isAnchored)
        case .alternatives(let parts): parts.allSatisfy(\.isAnchored)
        case .capture(let inner, _): inner.isAnchored
        case .repeated(let inner, let min, _, _): min > 0 && inner.isAnchored
        }
    }

    /// The numbers of the captures in it.
    var captures: ClosedRange<Int>? {
        switch self {
        case .scalar, .set, .assertion: nil
        case .sequence(let parts), .alternatives(let parts):
            parts.compactMap(\.captures).reduce(nil as ClosedRange<Int>?) { sum, range in
                sum.map { min($0.lowerBound, range.lowerBound)...max($0.upperBound, range.upperBound) } ?? range
            }
        case .capture(let inner, let number):
            number...(inner.captures?.upperBound ?? number)
        case .repeated(let inner, _, _, _): inner.captures
        }
    }
}
