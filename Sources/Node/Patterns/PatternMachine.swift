/// Runs a program over one text, all ways at once: each instruction is at most once under way at each place, so the time
/// is the text's length times the program's, whatever the pattern (Pike's machine, after Thompson).
struct PatternMachine {
    enum Outcome: Equatable {
        /// Offsets of scalars, two for the whole and two for each capture; -1 for one that took no part. Empty if nobody
        /// asked for them.
        case match([Int])
        case noMatch
        /// More steps than allowed.
        case exhausted
    }

    /// The instructions under way at one place, in the order of preference.
    private struct Threads {
        var order: [Int] = []
        /// For each instruction the generation in which it was last entered.
        var marks: [UInt32]
        var generation: UInt32 = 1
        /// Slots for each instruction.
        var slots: [Int]

        init(size: Int, slotCount: Int) {
            self.marks = Array(repeating: 0, count: size)
            self.slots = Array(repeating: -1, count: size * slotCount)
            self.order.reserveCapacity(min(size, 64))
        }

        mutating func removeAll() {
            self.order.removeAll(keepingCapacity: true)
            self.generation += 1
        }
    }

    private enum Frame {
        case enter(Int)
        case restore(slot: Int, value: Int)
    }

    private let program: PatternProgram
    private let text: [UInt32]
    private let slotCount: Int
    private let limit: Int
    /// Instructions entered so far.
    private(set) var steps = 0
    private var current: Threads
    private var upcoming: Threads
    private var slots: [Int]
    private var stack: [Frame] = []

    /// - Parameter limit: steps; each takes some ten nanoseconds.
    init(_ program: PatternProgram, text: [UInt32], isCapturing: Bool, limit: Int) {
        self.program = program
        self.text = text
        self.slotCount = isCapturing ? program.slotCount : 0
        self.limit = limit
        self.current = Threads(size: program.instructions.count, slotCount: self.slotCount)
        self.upcoming = self.current
        self.slots = Array(repeating: -1, count: self.slotCount)
    }

    /// The leftmost match, and of those the preferred one.
    mutating func run() -> Outcome {
        var found: [Int]?
        for place in 0...self.text.count {
            if found == nil, place == 0 || !self.program.isAnchored {
                for slot in self.slots.indices { self.slots[slot] = -1 }
                self.enter(0, at: place, upcoming: false)
            }
            if self.current.order.isEmpty, found != nil || self.program.isAnchored { break }
            guard self.steps <= self.limit else { return .exhausted }
            if let slots = self.advance(at: place) {
                if self.slotCount == 0 { return .match([]) }
                found = slots
            }
            swap(&self.current, &self.upcoming)
            self.upcoming.removeAll()
        }
        return found.map { .match($0) } ?? .noMatch
    }

    /// Lets every way take the character at a place.
    /// - Returns: the slots of a way that is at its end; those that it is preferred to are dropped.
    private mutating func advance(at place: Int) -> [Int]? {
        let scalar = place < self.text.count ? self.text[place] : nil
        for index in 0..<self.current.order.count {
            let counter = self.current.order[index]
            let takes: Bool
            switch self.program.instructions[counter] {
            case .scalar(let value): takes = scalar == value
            case .set(let set): takes = scalar.map { self.program.sets[set].contains($0) } ?? false
            case .match:
                let base = counter * self.slotCount
                return Array(self.current.slots[base..<(base + self.slotCount)])
            case .assertion, .jump, .split, .save, .clear: preconditionFailure("passed when it was entered")
            }
            guard takes else { continue }
            let base = counter * self.slotCount
            for slot in 0..<self.slotCount { self.slots[slot] = self.current.slots[base + slot] }
            self.enter(counter + 1, at: place + 1, upcoming: true)
        }
        return nil
    }

    /// Enters an instruction and all that it leads to without a character.
    private mutating func enter(_ counter: Int, at place: Int, upcoming: Bool) {
        self.stack.append(.enter(counter))
        while let frame = self.stack.popLast() {
            switch frame {
            case .restore(let slot, let value): self.slots[slot] = value
            case .enter(let counter):
                self.steps += 1
                let isNew =
                    upcoming
                    ? Self.mark(counter, in: &self.upcoming) : Self.mark(counter, in: &self.current)
                if isNew { self.pass(counter, at: place, upcoming: upcoming) }
            }
        }
    }

    private static func mark(_ counter: Int, in threads: inout Threads) -> Bool {
        guard threads.marks[counter] != threads.generation else { return false }
        threads.marks[counter] = threads.generation
        return true
    }

    private mutating func pass(_ counter: Int, at place: Int, upcoming: Bool) {
        switch self.program.instructions[counter] {
        case .jump(let target): self.stack.append(.enter(target))
        case .split(let first, let second):
            self.stack.append(.enter(second))
            self.stack.append(.enter(first))
        case .assertion(let assertion):
            if self.holds(assertion, at: place) { self.stack.append(.enter(counter + 1)) }
        case .save(let slot):
            self.set(slot, to: place)
            self.stack.append(.enter(counter + 1))
        case .clear(let from, let to):
            for slot in from..<to { self.set(slot, to: -1) }
            self.stack.append(.enter(counter + 1))
        case .scalar, .set, .match:
            if upcoming {
                self.upcoming.order.append(counter)
                self.store(counter, in: &self.upcoming.slots)
            } else {
                self.current.order.append(counter)
                self.store(counter, in: &self.current.slots)
            }
        }
    }

    private func store(_ counter: Int, in slots: inout [Int]) {
        let base = counter * self.slotCount
        for slot in 0..<self.slotCount { slots[base + slot] = self.slots[slot] }
    }

    private mutating func set(_ slot: Int, to value: Int) {
        guard slot < self.slotCount, self.slots[slot] != value else { return }
        self.stack.append(.restore(slot: slot, value: self.slots[slot]))
        self.slots[slot] = value
    }

    private func holds(_ assertion: PatternSyntax.Assertion, at place: Int) -> Bool {
        switch assertion {
        case .start: place == 0
        case .end: place == self.text.count
        case .wordBoundary: self.isWord(place - 1) != self.isWord(place)
        case .noWordBoundary: self.isWord(place - 1) == self.isWord(place)
        }
    }

    private func isWord(_ place: Int) -> Bool {
        self.text.indices.contains(place) && PatternSet.word.contains(self.text[place])
    }
}
