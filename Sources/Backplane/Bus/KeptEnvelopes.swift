import DequeModule
import NIOCore
import Wire

/// An envelope that a home has acknowledged and whose target has not said yet that it has read it (SPEC ND-7).
package struct KeptEnvelope: Sendable, Equatable {
    package let sequence: Int64
    let messages: [BusMessage]
    /// Memory that it is counted with.
    let cost: Int
    /// Age of its oldest message; a copy tells it, as the server stamps every insert with its own time.
    let since: NIODeadline
    /// Position in the target's homes where it lies.
    let home: Int
    /// An insert into another home is waiting or under way.
    var isCopying = false
}

/// What one target was sent lately, ascending by `s`: goes into its other home if the one where it lies stops answering.
struct KeptEnvelopes: Sendable {
    private var items: Deque<KeptEnvelope> = []
    private(set) var cost = 0

    var isEmpty: Bool { self.items.isEmpty }
    var count: Int { self.items.count }

    /// Envelopes are acknowledged in about the order of their numbers, so the place is near the end.
    /// - Returns: how many of the oldest had to go, to stay within `limit` bytes.
    mutating func keep(_ envelope: KeptEnvelope, limit: Int) -> Int {
        let later = self.items.reversed().prefix { $0.sequence > envelope.sequence }.count
        self.items.insert(envelope, at: self.items.count - later)
        self.cost += envelope.cost
        var evicted = 0
        while self.cost > limit, let oldest = self.items.popFirst() {
            self.cost -= oldest.cost
            evicted += 1
        }
        return evicted
    }

    /// Forgets what the target has read.
    mutating func forget(upTo sequence: Int64) { self.forget { $0.sequence <= sequence } }

    /// Forgets what is older than is worth delivering.
    mutating func forget(olderThan limit: NIODeadline) { self.forget { $0.since < limit } }

    private mutating func forget(while isDone: (KeptEnvelope) -> Bool) {
        while let first = self.items.first, isDone(first) {
            self.cost -= first.cost
            self.items.removeFirst()
        }
    }

    mutating func removeAll() {
        self.items = []
        self.cost = 0
    }

    subscript(sequence: Int64) -> KeptEnvelope? { self.position(of: sequence).map { self.items[$0] } }

    /// Marks what lies in homes that do not answer.
    /// - Returns: the numbers that were not marked before, ascending.
    mutating func beginCopies(from isSilent: (_ home: Int) -> Bool) -> [Int64] {
        var begun: [Int64] = []
        for index in self.items.indices where !self.items[index].isCopying && isSilent(self.items[index].home) {
            self.items[index].isCopying = true
            begun.append(self.items[index].sequence)
        }
        return begun
    }

    /// - Parameter isStored: it lies in both homes now, and need not be kept; else it waits for another attempt.
    mutating func endCopy(_ sequence: Int64, isStored: Bool) {
        guard let position = self.position(of: sequence) else { return }
        guard isStored else {
            self.items[position].isCopying = false
            return
        }
        self.cost -= self.items[position].cost
        self.items.remove(at: position)
    }

    private func position(of sequence: Int64) -> Int? {
        var low = self.items.startIndex
        var high = self.items.endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if self.items[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low < self.items.endIndex && self.items[low].sequence == sequence ? low : nil
    }
}
