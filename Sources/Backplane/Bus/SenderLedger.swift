package import NIOCore

/// What arrived from one sender: drops repeats and puts envelopes in order by `s` (SPEC ND-8).
///
/// A receiver's tails are open before it is registered (ND-2), and its incarnation is new: so the first envelope of every
/// sender has `s` = 1, and a ledger that begins with anything else has a hole.
package struct SenderLedger<Item> {
    package enum Arrival: Equatable {
        /// Next in the sequence: deliver it, then what ``popReady()`` yields.
        case next
        /// Behind a hole, held back.
        case early
        /// Fills a hole that was given up.
        case late
        case duplicate
    }

    struct Early {
        var item: Item
        var size: Int
        var arrived: NIODeadline
    }

    /// Everything up to here was delivered or given up.
    package private(set) var highest: Int64 = 0
    package private(set) var earlyBytes = 0
    /// When the last envelope that was no repeat came.
    package private(set) var lastArrival: NIODeadline
    private var early: [Int64: Early] = [:]
    /// Sequence numbers that were given up and did not come yet, ascending.
    private var givenUp: [ClosedRange<Int64>] = []

    package init(now: NIODeadline) { self.lastArrival = now }

    package mutating func arrive(_ sequence: Int64, item: Item, size: Int, now: NIODeadline) -> Arrival {
        if sequence <= self.highest {
            guard self.fill(sequence) else { return .duplicate }
            self.lastArrival = now
            return .late
        }
        if sequence == self.highest + 1 {
            self.highest = sequence
            self.lastArrival = now
            return .next
        }
        guard self.early[sequence] == nil else { return .duplicate }
        self.early[sequence] = Early(item: item, size: size, arrived: now)
        self.earlyBytes += size
        self.lastArrival = now
        return .early
    }

    /// The next envelope that is no longer behind a hole.
    package mutating func popReady() -> Item? {
        guard !self.early.isEmpty, let ready = self.early.removeValue(forKey: self.highest + 1) else { return nil }
        self.highest += 1
        self.earlyBytes -= ready.size
        return ready.item
    }

    /// Since when something waits behind the first hole; nil without a hole. Call after ``popReady()`` has returned nil.
    package var waitingSince: NIODeadline? { self.early.values.lazy.map(\.arrived).min() }

    /// Gives up the first hole; ``popReady()`` then yields what was behind it.
    /// - Returns: the missing sequence numbers; nil without a hole.
    package mutating func giveUp(remembering limit: Int) -> ClosedRange<Int64>? {
        guard let first = self.early.keys.min(), first > self.highest + 1 else { return nil }
        let hole = (self.highest + 1)...(first - 1)
        self.givenUp.append(hole)
        if self.givenUp.count > limit { self.givenUp.removeFirst(self.givenUp.count - limit) }
        self.highest = hole.upperBound
        return hole
    }

    /// - Returns: whether the number was given up before and is now taken out.
    private mutating func fill(_ sequence: Int64) -> Bool {
        guard let index = self.givenUp.firstIndex(where: { $0.contains(sequence) }) else { return false }
        let range = self.givenUp.remove(at: index)
        if sequence < range.upperBound { self.givenUp.insert((sequence + 1)...range.upperBound, at: index) }
        if sequence > range.lowerBound { self.givenUp.insert(range.lowerBound...(sequence - 1), at: index) }
        return true
    }
}

extension SenderLedger: Sendable where Item: Sendable {}
extension SenderLedger.Early: Sendable where Item: Sendable {}
