/// A pattern as instructions of a Thompson automaton, in the order of ECMA-262's preferences.
struct PatternProgram: Sendable {
    /// Instructions; with the length of the text it bounds the time of a match.
    static let sizeLimit = 2_000

    enum Instruction: Sendable, Equatable {
        case scalar(UInt32)
        /// A subscript of ``sets``.
        case set(Int)
        case assertion(PatternSyntax.Assertion)
        case jump(Int)
        /// The first way is preferred.
        case split(Int, Int)
        /// Notes the place in a slot: two for each capture, and two for the whole.
        case save(Int)
        /// Forgets the slots from one up to another: an iteration begins without the captures of the one before.
        case clear(Int, Int)
        case match
    }

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [PatternSet] = []
    let slotCount: Int
    let isAnchored: Bool
    private var setIndices: [PatternSet: Int] = [:]
    private var work = 0

    init(_ syntax: PatternSyntax, captureCount: Int) throws(PatternError) {
        self.slotCount = 2 * (captureCount + 1)
        self.isAnchored = syntax.isAnchored
        try self.emit(.save(0))
        try self.compile(syntax)
        try self.emit(.save(1))
        try self.emit(.match)
        self.setIndices = [:]
    }

    private mutating func emit(_ instruction: Instruction) throws(PatternError) {
        guard self.instructions.count < Self.sizeLimit else { throw PatternError(code: .tooLarge, offset: nil) }
        self.instructions.append(instruction)
    }

    private mutating func compile(_ syntax: PatternSyntax) throws(PatternError) {
        // Repetitions of what has no instructions cost time all the same.
        self.work += 1
        guard self.work <= 10 * Self.sizeLimit else { throw PatternError(code: .tooLarge, offset: nil) }
        switch syntax {
        case .scalar(let value): try self.emit(.scalar(value))
        case .set(let set):
            let index = self.setIndices[set] ?? self.sets.count
            if index == self.sets.count {
                self.sets.append(set)
                self.setIndices[set] = index
            }
            try self.emit(.set(index))
        case .assertion(let assertion): try self.emit(.assertion(assertion))
        case .sequence(let parts): for part in parts { try self.compile(part) }
        case .alternatives(let parts): try self.compile(alternatives: parts)
        case .capture(let inner, let number):
            try self.emit(.save(2 * number))
            try self.compile(inner)
            try self.emit(.save(2 * number + 1))
        case .repeated(let inner, let min, let max, let isLazy):
            try self.compile(inner, min: min, max: max, isLazy: isLazy)
        }
    }

    private mutating func compile(alternatives parts: [PatternSyntax]) throws(PatternError) {
        var jumps: [Int] = []
        for part in parts.dropLast() {
            let split = self.instructions.count
            try self.emit(.split(split + 1, 0))
            try self.compile(part)
            jumps.append(self.instructions.count)
            try self.emit(.jump(0))
            self.instructions[split] = .split(split + 1, self.instructions.count)
        }
        if let last = parts.last { try self.compile(last) }
        for jump in jumps { self.instructions[jump] = .jump(self.instructions.count) }
    }

    private mutating func compile(
        _ inner: PatternSyntax, min: Int, max: Int?, isLazy: Bool
    ) throws(PatternError) {
        let captures = inner.captures
        // What can match nothing is written once more, so that the empty match of a required iteration does not end it.
        let loopsBack = max == nil && min > 0 && !inner.isNullable
        for _ in 0..<(loopsBack ? min - 1 : min) { try self.iteration(inner, captures) }
        guard let max else {
            let start = self.instructions.count
            if loopsBack {
                try self.iteration(inner, captures)
                let next = self.instructions.count + 1
                return try self.emit(isLazy ? .split(next, start) : .split(start, next))
            }
            try self.emit(.split(0, 0))
            try self.iteration(inner, captures)
            try self.emit(.jump(start))
            self.setSplit(start, isLazy: isLazy)
            return
        }
        var splits: [Int] = []
        for _ in min..<max {
            splits.append(self.instructions.count)
            try self.emit(.split(0, 0))
            try self.iteration(inner, captures)
        }
        for split in splits { self.setSplit(split, isLazy: isLazy) }
    }

    private mutating func setSplit(_ split: Int, isLazy: Bool) {
        let end = self.instructions.count
        self.instructions[split] = isLazy ? .split(end, split + 1) : .split(split + 1, end)
    }

    private mutating func iteration(_ inner: PatternSyntax, _ captures: ClosedRange<Int>?) throws(PatternError) {
        if let captures { try self.emit(.clear(2 * captures.lowerBound, 2 * captures.upperBound + 2)) }
        try self.compile(inner)
    }
}
