/// What one connection received of one stream: the events of one publisher's connection for one user, numbered from 0.
struct StreamLedger: Equatable, Sendable {
    enum Verdict: Equatable, Sendable {
        case inOrder
        /// Events before it are missing so far.
        case afterGap
        /// Missing until now: it came behind a later one.
        case late
        case duplicate
    }

    /// Numbers that did not come.
    struct Gap: Equatable, Sendable {
        var numbers: Range<Int>
        /// Only what was sent after this time was owed to the connection; microseconds.
        var sentAfter: UInt64
        /// The connection had been told `recovered`: whatever is missing is missed in silence.
        var isRecovered: Bool
    }

    private var next: Int
    /// Ascending; all of the present stretch.
    private var open: [Gap] = []
    /// Those of stretches that have ended.
    private var settled: [Gap] = []
    /// Set until the first event of a stretch has come.
    private var since: UInt64?
    private var stretch: Int

    init(stretch: Int, since: UInt64) {
        self.next = 0
        self.since = since
        self.stretch = stretch
    }

    /// The connection is a new one to the server. What is missing in the old stretch between events that came stays
    /// missing; what was on its way behind the last one was not promised to anybody.
    private mutating func begin(stretch: Int, since: UInt64) {
        self.settled += self.open
        self.open = []
        self.next = 0
        self.since = since
        self.stretch = stretch
    }

    /// - Parameters:
    ///   - number: of the event that came.
    ///   - stretch, since: the connection's present stretch, and when it began.
    ///   - isRecovered: whether it contains a recovery.
    mutating func receive(_ number: Int, stretch: Int, since: UInt64, isRecovered: Bool) -> Verdict {
        if stretch != self.stretch { self.begin(stretch: stretch, since: since) }
        if number == self.next {
            self.next += 1
            self.since = nil
            return .inOrder
        }
        if number > self.next {
            self.open.append(
                Gap(numbers: self.next..<number, sentAfter: self.since ?? 0, isRecovered: isRecovered))
            let isFirst = self.since != nil
            self.next = number + 1
            self.since = nil
            // A stream is joined where it happens to be.
            return isFirst ? .inOrder : .afterGap
        }
        guard let index = self.open.firstIndex(where: { $0.numbers.contains(number) }) else { return .duplicate }
        let gap = self.open.remove(at: index)
        var rest: [Gap] = []
        for numbers in [gap.numbers.lowerBound..<number, (number + 1)..<gap.numbers.upperBound] where !numbers.isEmpty {
            rest.append(Gap(numbers: numbers, sentAfter: gap.sentAfter, isRecovered: gap.isRecovered))
        }
        self.open.insert(contentsOf: rest, at: index)
        return .late
    }

    /// What may be missing once the publisher has written `count` events.
    ///
    /// - Parameters:
    ///   - current: the connection's present stretch and when it began; nil when it is not live at the end.
    ///   - isRecovered: whether that stretch contains a recovery.
    func missing(of count: Int, current: (stretch: Int, since: UInt64)?, isRecovered: Bool) -> [Gap] {
        var gaps = self.settled + self.open
        guard let current else { return gaps }
        let hasCurrent = current.stretch == self.stretch
        let from = hasCurrent ? self.next : 0
        let since = hasCurrent ? self.since ?? 0 : current.since
        if from < count { gaps.append(Gap(numbers: from..<count, sentAfter: since, isRecovered: isRecovered)) }
        return gaps
    }
}
