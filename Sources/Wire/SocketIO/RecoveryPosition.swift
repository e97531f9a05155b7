/// What a client has been given of each stream: the newest number of every sender heard of (SOCKETIO §14). Its text is the
/// offset that events carry, opaque to clients.
///
/// A vector, as senders number their events on their own: nothing that they share has to be written for an order.
package struct RecoveryPosition: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        let stream: RecoveryStream
        var number: Int64
        /// When it was raised last, in seconds of the primary's clock.
        var heard: Int64
    }

    /// Streams in a text. With more the position cannot be told, and its client is not recoverable meanwhile.
    package static let streamLimit = 64
    /// How much longer than the recovery window a silent stream is remembered, in seconds. Far beyond what clocks differ
    /// and messages are under way (SPEC ND-8: 60 s), so that what is forgotten cannot come again.
    package static let idleMargin: Int64 = 180
    /// What clocks may differ by and messages may be late, in seconds.
    static let slack: Int64 = 60

    /// Ascending by stream: equal positions have equal texts.
    private(set) var entries: [Entry] = []
    /// Events of streams that are not listed and were sent up to this second have been given, or were for somebody else.
    package private(set) var floor: Int64 = 0

    package init() {}

    init(entries: [Entry], floor: Int64) {
        self.entries = entries
        self.floor = floor
    }

    /// nil for a stream that is not listed.
    package subscript(stream: RecoveryStream) -> Int64? {
        let index = self.index(of: stream)
        return self.isListed(stream, at: index) ? self.entries[index].number : nil
    }

    /// The listed streams with their newest numbers.
    package var marks: [RecoveryMark] { self.entries.map { RecoveryMark(stream: $0.stream, number: $0.number) } }

    package func covers(_ mark: RecoveryMark) -> Bool { (self[mark.stream] ?? 0) >= mark.number }

    /// - Parameter now: seconds of the primary's clock.
    /// - Returns: false when the event was given already.
    package mutating func raise(to mark: RecoveryMark, now: Int64) -> Bool {
        let index = self.index(of: mark.stream)
        guard self.isListed(mark.stream, at: index) else {
            self.entries.insert(Entry(stream: mark.stream, number: mark.number, heard: now), at: index)
            return true
        }
        guard self.entries[index].number < mark.number else { return false }
        self.entries[index].number = mark.number
        self.entries[index].heard = now
        return true
    }

    /// The newer of both, stream by stream.
    package mutating func merge(_ other: RecoveryPosition) {
        for entry in other.entries {
            _ = self.raise(to: RecoveryMark(stream: entry.stream, number: entry.number), now: entry.heard)
        }
        self.floor = max(self.floor, other.floor)
    }

    /// Forgets streams that have been silent for longer than `window` and ``idleMargin``: their nodes are mostly gone.
    /// - Parameters:
    ///   - now: seconds of the primary's clock.
    ///   - window: how long a client may be away, in seconds.
    package mutating func prune(now: Int64, window: Int64) {
        let oldest = now - window - Self.idleMargin
        guard self.entries.contains(where: { $0.heard < oldest }) else { return }
        for entry in self.entries where entry.heard < oldest {
            self.floor = max(self.floor, entry.heard + Self.slack)
        }
        self.entries.removeAll { $0.heard < oldest }
    }

    /// Whether a client that has been given `other` has been given all of this.
    package func isCovered(by other: RecoveryPosition) -> Bool {
        self.entries.allSatisfy { entry in
            if let number = other[entry.stream] { return number >= entry.number }
            return entry.heard + Self.slack <= other.floor
        }
    }

    /// The first entry that is not before the stream. Few enough to walk through.
    private func index(of stream: RecoveryStream) -> Int {
        self.entries.firstIndex { $0.stream >= stream } ?? self.entries.endIndex
    }

    private func isListed(_ stream: RecoveryStream, at index: Int) -> Bool {
        index < self.entries.endIndex && self.entries[index].stream == stream
    }
}
