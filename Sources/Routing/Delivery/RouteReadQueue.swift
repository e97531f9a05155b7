/// Decides which routes are read next for the sends of one shard (SPEC EV-1): everything that waits for a key shares one
/// read, a read serves only sends handed in before it was issued, and at most one read per key is under way.
package struct RouteReadQueue<Send> {
    private var waiting: [RouteKey: [Send]] = [:]
    /// Keys that wait and are not being read, in order of arrival.
    private var ready: [RouteKey] = []
    private var reading: Set<RouteKey> = []
    private let limit: Int
    private let batch: Int
    package private(set) var count = 0

    /// - Parameters:
    ///   - limit: sends that may wait; beyond it ``add(_:to:)`` refuses.
    ///   - batch: keys per read, at most 1,000 (``RouteStore/read(_:shard:)``).
    package init(limit: Int, batch: Int) {
        self.limit = limit
        self.batch = batch
    }

    /// - Returns: false when the queue is full.
    package mutating func add(_ send: Send, to key: RouteKey) -> Bool {
        guard self.count < self.limit else { return false }
        self.count += 1
        if self.waiting[key] == nil, !self.reading.contains(key) { self.ready.append(key) }
        self.waiting[key, default: []].append(send)
        return true
    }

    /// The next read, with the sends that it serves; nil when nothing waits.
    package mutating func next() -> [(key: RouteKey, sends: [Send])]? {
        guard !self.ready.isEmpty else { return nil }
        let keys = self.ready.prefix(self.batch)
        let round = keys.map { key in
            self.reading.insert(key)
            let sends = self.waiting.removeValue(forKey: key) ?? []
            self.count -= sends.count
            return (key, sends)
        }
        self.ready.removeFirst(keys.count)
        return round
    }

    /// The sends of this read have been handed over: their keys may be read again.
    package mutating func finish(_ keys: some Sequence<RouteKey>) {
        for key in keys {
            self.reading.remove(key)
            if self.waiting[key] != nil { self.ready.append(key) }
        }
    }

    /// Everything that waits, when the queue is given up.
    package mutating func drain() -> [Send] {
        defer {
            self.waiting.removeAll()
            self.ready.removeAll()
            self.count = 0
        }
        return self.waiting.values.flatMap { $0 }
    }
}
