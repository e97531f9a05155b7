package import Wire

/// What this sender knows to be missing in the recovery logs, until that is written there, too. A client that comes back
/// across a hole is not recovered, instead of missing an event silently (SOCKETIO §14.1.6).
package struct RecoveryHoles: Sendable {
    private let stream: RecoveryStream
    private let limit: Int
    private var holes: [String: [RouteKey: [RecoveryEntry]]] = [:]
    /// Events are missing at this place for users that are not known, or too many to be remembered.
    private var doubts: [String: RecoveryEntry] = [:]
    package private(set) var count = 0

    /// - Parameter limit: holes that are remembered one by one, 10,000; with more, whole places are in doubt.
    package init(stream: RecoveryStream, limit: Int = 10_000) {
        self.stream = stream
        self.limit = limit
    }

    package var isEmpty: Bool { self.holes.isEmpty && self.doubts.isEmpty }

    package var places: [String] { Set(self.holes.keys).union(self.doubts.keys).sorted() }

    /// These events could not be logged with certainty.
    package mutating func add(_ entries: some Sequence<RecoveryEntry>, at place: String) {
        for entry in entries {
            guard let key = entry.key else { continue }
            guard self.count < self.limit else {
                self.doubt([place], number: entry.mark.number, time: entry.time)
                continue
            }
            self.holes[place, default: [:]][key, default: []].append(entry.asHole)
            self.count += 1
        }
    }

    /// Something could not be logged for somebody, at this time.
    package mutating func doubt(_ places: some Sequence<String>, number: Int64, time: Int64) {
        for place in places {
            // The newest says it all: clients that were away at an earlier one were away then, or are back.
            if let old = self.doubts[place], old.time >= time { continue }
            self.doubts[place] = RecoveryEntry(
                key: nil, mark: RecoveryMark(stream: self.stream, number: number), version: 0, time: time,
                content: .hole)
        }
    }

    /// What has to be in the log before any event of these keys, and some more, so that it gets there at all.
    package func pending(at place: String, keys: some Sequence<RouteKey>, limit: Int = 500) -> [RecoveryEntry] {
        var entries = self.doubts[place].map { [$0] } ?? []
        guard let holes = self.holes[place] else { return entries }
        let first = Set(keys)
        for key in first { entries += holes[key] ?? [] }
        for (key, more) in holes where entries.count < limit && !first.contains(key) { entries += more }
        return entries
    }

    /// These are in the log now.
    package mutating func settle(_ entries: [RecoveryEntry], at place: String) {
        for entry in entries {
            guard let key = entry.key else {
                if self.doubts[place] == entry { self.doubts[place] = nil }
                continue
            }
            guard var left = self.holes[place]?[key] else { continue }
            let before = left.count
            left.removeAll { $0 == entry }
            self.count -= before - left.count
            self.holes[place]?[key] = left.isEmpty ? nil : left
        }
        if self.holes[place]?.isEmpty == true { self.holes[place] = nil }
    }
}
