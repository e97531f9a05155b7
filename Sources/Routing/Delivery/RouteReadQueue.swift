/// Decides which routes are read next for the sends of one shard (SPEC EV-1): everything that waits for a key shares one
/// read, a read serves only sends handed in before it was issued, and at most one read per key is under way.
package struct RouteReadQueue<Send> {
    private struct Waiting {
        var sends: [Send] = []
        var bytes = 0
    }

    private var waiting: [RouteKey: Waiting] = [:]
    /// Keys that wait and are not being read, in order of arrival.
    private var ready: [RouteKey] = []
    /// Keys that are being read, with the last send that this read serves.
    private var reading: [RouteKey: Send] = [:]
    /// Keys whose documents have not come yet.
    private var unread = 0
    private let countLimit: Int
    private let byteLimit: Int
    private let batch: Int
    package private(set) var count = 0
    package private(set) var bytes = 0

    /// - Parameters:
    ///   - countLimit: sends that may wait; beyond it ``add(_:to:bytes:)`` refuses.
    ///   - byteLimit: bytes that they may hold.
    ///   - batch: keys per read, at most 1,000 (``RouteStore/read(_:shard:)``).
    package init(countLimit: Int, byteLimit: Int, batch: Int) {
        self.countLimit = countLimit
        self.byteLimit = byteLimit
        self.batch = batch
    }

    /// - Returns: false when the queue is full.
    package mutating func add(_ send: Send, to key: RouteKey, bytes: Int) -> Bool {
        guard self.count < self.countLimit, self.bytes + bytes <= self.byteLimit else { return false }
        self.count += 1
        self.bytes += bytes
        if self.waiting[key] == nil, self.reading[key] == nil { self.ready.append(key) }
        self.waiting[key, default: Waiting()].sends.append(send)
        self.waiting[key, default: Waiting()].bytes += bytes
        return true
    }

    /// The last send to a key that has not been handed over yet; nil where none is under way.
    package func last(to key: RouteKey) -> Send? { self.waiting[key]?.sends.last ?? self.reading[key] }

    /// The next read, with the sends that it serves; nil when nothing waits, or what waits is better off in a later one.
    package mutating func next() -> [(key: RouteKey, sends: [Send])]? {
        guard !self.ready.isEmpty else { return nil }
        // Beside what is under way goes only what is at least as much: a command costs the same whatever it asks for, and
        // under load many small ones would slow each other.
        guard self.ready.count >= min(self.unread, self.batch) else { return nil }
        let keys = self.ready.prefix(self.batch)
        let round = keys.map { key in
            let waiting = self.waiting.removeValue(forKey: key) ?? Waiting()
            self.reading[key] = waiting.sends.last
            self.count -= waiting.sends.count
            self.bytes -= waiting.bytes
            return (key, waiting.sends)
        }
        self.ready.removeFirst(keys.count)
        self.unread += keys.count
        return round
    }

    /// The documents of so many keys have come, or never will. Their sends may take a while yet: that holds nobody up.
    package mutating func read(_ count: Int) { self.unread -= count }

    /// The sends of this read have been handed over: their keys may be read again.
    package mutating func finish(_ keys: some Sequence<RouteKey>) {
        for key in keys {
            self.reading[key] = nil
            if self.waiting[key] != nil { self.ready.append(key) }
        }
    }

    /// Everything that waits, when the queue is given up.
    package mutating func drain() -> [Send] {
        defer {
            self.waiting.removeAll()
            self.ready.removeAll()
            self.count = 0
            self.bytes = 0
        }
        return self.waiting.values.flatMap(\.sends)
    }
}
