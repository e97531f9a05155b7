package import NIOCore
package import Wire

/// Counts what each client address has open, and how fast it opens it (SOCKETIO §18, SPEC TR-2). A value without a clock;
/// bounded: an entry goes once it says no more than a new one would.
package struct AddressLedger: Sendable {
    package struct Limits: Equatable, Sendable {
        /// Engine sessions of one address; nil for any number.
        package var sessions: Int?
        /// Those among them that have not joined a namespace yet.
        package var unjoined: Int?
        package var handshakes: TokenBucket.Rate?
        /// Addresses that are kept.
        package var capacity: Int

        package init(
            sessions: Int? = nil, unjoined: Int? = nil, handshakes: TokenBucket.Rate? = nil, capacity: Int = 100_000
        ) {
            self.sessions = sessions
            self.unjoined = unjoined
            self.handshakes = handshakes
            self.capacity = capacity
        }

        package var isEmpty: Bool { self.sessions == nil && self.unjoined == nil && self.handshakes == nil }
    }

    package enum Verdict: Equatable, Sendable {
        /// Owed one `close`.
        case admitted
        /// The ledger is full: the session may open, and is not counted. Locking out whoever comes last would hand the
        /// door to an attacker with many addresses; the node's own limit of sessions still holds.
        case uncounted
        case tooManyHandshakes
        case tooManySessions
        case tooManyUnjoined
    }

    private struct Entry {
        var bucket = TokenBucket()
        var sessions: Int32 = 0
        var unjoined: Int32 = 0

        func isVoid(at now: NIODeadline) -> Bool { self.sessions == 0 && self.bucket.isFull(at: now) }
    }

    private var entries: [AddressKey: Entry] = [:]
    /// A full ledger is swept at most once a second: a sweep looks at everything.
    private var nextSweep = NIODeadline.uptimeNanoseconds(0)
    /// May change at any time: what is open stays.
    package var limits: Limits

    package init(limits: Limits) {
        self.limits = limits
    }

    package var count: Int { self.entries.count }

    /// An address asks for an engine session.
    package mutating func open(_ key: AddressKey, at now: NIODeadline) -> Verdict {
        guard var entry = self.entries[key] ?? self.newEntry(at: now) else { return .uncounted }
        defer { self.entries[key] = entry }
        if let rate = self.limits.handshakes, !entry.bucket.take(at: now, rate) { return .tooManyHandshakes }
        if let limit = self.limits.sessions, entry.sessions >= limit { return .tooManySessions }
        if let limit = self.limits.unjoined, entry.unjoined >= limit { return .tooManyUnjoined }
        entry.sessions += 1
        entry.unjoined += 1
        return .admitted
    }

    /// A session that was admitted has joined its first namespace.
    package mutating func join(_ key: AddressKey) {
        guard let index = self.entries.index(forKey: key) else { preconditionFailure("an open session has an entry") }
        self.entries.values[index].unjoined -= 1
    }

    /// A session that was admitted has ended.
    package mutating func close(_ key: AddressKey, hasJoined: Bool, at now: NIODeadline) {
        guard let index = self.entries.index(forKey: key) else { preconditionFailure("an open session has an entry") }
        self.entries.values[index].sessions -= 1
        if !hasJoined { self.entries.values[index].unjoined -= 1 }
        if self.entries.values[index].isVoid(at: now) { self.entries.remove(at: index) }
    }

    /// Drops what says no more than a new entry would.
    package mutating func sweep(at now: NIODeadline) {
        guard self.entries.values.contains(where: { $0.isVoid(at: now) }) else { return }
        self.entries = self.entries.filter { !$0.value.isVoid(at: now) }
    }

    /// - Returns: nil where there is no room.
    private mutating func newEntry(at now: NIODeadline) -> Entry? {
        if self.entries.count < self.limits.capacity { return Entry() }
        guard now >= self.nextSweep else { return nil }
        self.nextSweep = now + .seconds(1)
        self.sweep(at: now)
        return self.entries.count < self.limits.capacity ? Entry() : nil
    }
}
