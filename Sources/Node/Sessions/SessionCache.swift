internal import Metrics
package import Routing
internal import Synchronization

/// Sessions as a node knows them, by (domain, hash) (SPEC ID-15). Time is an argument, in milliseconds since 1970.
///
/// An active session is trusted for `sessionCacheTimeout`, and read once more when it is used 15 s or more after it was
/// first read, as a deposed primary may have answered then. What is not active, or not there, or due for renewal, is
/// trusted for 2 s: a successor may be presented elsewhere at any moment. The state is computed at each use, so no entry
/// outlives a lifetime.
package final class SessionCache: Sendable {
    /// A read of the store that began; ``finish(_:with:at:)`` takes it back.
    package struct Read: Sendable, Equatable {
        fileprivate let key: Key
        fileprivate let generation: UInt64
    }

    package enum Lookup: Sendable, Equatable {
        /// nil: known not to exist.
        case known(SessionRecord?)
        case read(Read)
    }

    private static let negativeTrust: Int64 = 2_000
    private static let confirmationAge: Int64 = 15_000

    private let machine: SessionMachine
    private let trust: Int64
    private let capacity: Int
    private let isFresh: @Sendable () -> Bool
    private let table: Mutex<Table>
    private let hits = Counter(label: "submergence_session_cache_hits_total")
    private let misses = Counter(label: "submergence_session_cache_misses_total")
    private let discarded = Counter(label: "submergence_session_reads_discarded_total")

    /// - Parameter isFresh: whether lease and bus are fresh at this very moment: asked at each look-up, as a node that was
    ///   paused is woken by a request as soon as by its own timers (SPEC ND-3, ND-11).
    package init(_ options: SessionOptions, isFresh: @escaping @Sendable () -> Bool = { true }) {
        self.isFresh = isFresh
        self.machine = SessionMachine(options)
        self.trust = Int64(options.sessionCacheTimeout * 1_000)
        self.capacity = options.cacheSessions
        self.table = Mutex(Table())
    }

    /// What is known of a session, or the token of a read that the caller now makes.
    package func lookup(_ hash: [UInt8], in domain: String, at now: Int64) -> Lookup {
        let key = Key(domain: domain, hash: hash)
        let isFresh = self.isFresh()
        let lookup = self.table.withLock { table -> Lookup in
            if isFresh, !table.isBypassed, let entry = table.entry(of: key), self.isTrusted(entry, in: domain, at: now)
            {
                return .known(entry.record)
            }
            return .read(table.beginRead(key))
        }
        if case .known = lookup { self.hits.increment() } else { self.misses.increment() }
        return lookup
    }

    /// Ends a read.
    /// - Returns: false when the session was invalidated while the read was under way: its result is worth nothing and
    ///   the caller reads again (SPEC ID-13).
    package func finish(_ read: Read, with record: SessionRecord?, at now: Int64) -> Bool {
        let isFresh = self.isFresh()
        let isGood = self.table.withLock { table in
            guard table.endRead(read.generation, of: record) else { return false }
            guard isFresh, !table.isBypassed, self.capacity > 0 else { return true }
            // A second read of an entry that was still trusted confirms it; after that time it begins anew.
            let earlier = table.entry(of: read.key)
            let isConfirmed =
                earlier.map { $0.record != nil && (Self.confirmationAge..<self.trust).contains(now - $0.made) } ?? false
            table.store(
                Entry(
                    record: record, made: now, isConfirmed: isConfirmed, isPresented: earlier?.isPresented ?? false),
                at: read.key, capacity: self.capacity)
            return true
        }
        if !isGood { self.discarded.increment() }
        return isGood
    }

    /// Ends a read that failed.
    package func abandon(_ read: Read) {
        self.table.withLock { _ = $0.endRead(read.generation, of: nil) }
    }

    /// Claims the write of a session's activity, so that of concurrent requests one makes it (SPEC ID-8).
    /// - Returns: false when it is not due, or somebody else claimed it. A session that is not cached is always
    ///   granted.
    package func claimTouch(_ record: SessionRecord, at now: Int64) -> Bool {
        guard self.machine.isTouchDue(record, at: now) else { return false }
        return self.table.withLock { table in
            table.update(Key(domain: record.domain, hash: record.hash)) { cached in
                guard self.machine.isTouchDue(cached, at: now) else { return false }
                cached.activity = now
                return true
            } ?? true
        }
    }

    /// Claims the note that a successor was presented, so that of concurrent requests one writes it (SPEC ID-9).
    /// - Returns: false when somebody else claimed it. Of a session that is not cached it is always granted.
    package func claimPresentation(_ record: SessionRecord) -> Bool {
        self.table.withLock { $0.setPresented(Key(domain: record.domain, hash: record.hash), true) ?? true }
    }

    /// The note could not be written.
    package func releasePresentation(_ record: SessionRecord) {
        self.table.withLock { _ = $0.setPresented(Key(domain: record.domain, hash: record.hash), false) }
    }

    /// Forgets the sessions of a user, or of one of its clients, and spoils reads of them that are under way (ID-13).
    package func drop(domain: String, user: String, client: String?) {
        self.table.withLock { $0.drop(Drop(domain: domain, user: user, client: client)) }
    }

    /// Forgets everything and spoils all reads under way (SPEC ND-3, ND-9).
    package func removeAll() {
        self.table.withLock { $0.removeAll() }
    }

    /// Whether every lookup reads the store and nothing is kept: while the node is not registered, fenced or degraded
    /// (SPEC ND-2, ND-3, ND-11). Turning it on forgets everything.
    package func setBypassed(_ isBypassed: Bool) {
        self.table.withLock { table in
            if isBypassed && !table.isBypassed { table.removeAll() }
            table.isBypassed = isBypassed
        }
    }

    package var count: Int { self.table.withLock { $0.count } }

    private func isTrusted(_ entry: Entry, in domain: String, at now: Int64) -> Bool {
        let age = now - entry.made
        guard age >= 0 else { return false }
        guard case .active(isDue: false) = self.machine.state(of: entry.record, in: domain, at: now) else {
            return age < Self.negativeTrust
        }
        return age < self.trust && (entry.isConfirmed || age < Self.confirmationAge)
    }
}

extension SessionCache {
    fileprivate struct Key: Hashable, Sendable {
        let domain: String
        let hash: [UInt8]
    }

    fileprivate struct Entry {
        var record: SessionRecord?
        let made: Int64
        let isConfirmed: Bool
        /// Whether it is on record that this successor was presented.
        var isPresented: Bool
    }

    fileprivate struct Drop {
        let domain: String
        let user: String
        let client: String?

        func matches(_ record: SessionRecord) -> Bool {
            record.domain == self.domain && record.user == self.user
                && (self.client == nil || record.client == self.client)
        }
    }

    /// Entries in slots; a hand goes round and evicts the first that was not used since it last passed (CLOCK).
    fileprivate struct Table {
        private struct Slot {
            let key: Key
            var entry: Entry
            var isUsed: Bool
        }

        /// Invalidations kept for reads under way; beyond it all of these reads are made again.
        private static let longestLog = 1_024

        var isBypassed = false
        private var slots: [Slot?] = []
        private var free: [Int] = []
        private var hand = 0
        private var index: [Key: Int] = [:]
        private var users: [RouteKey: Set<Int>] = [:]
        private var generation: UInt64 = 0
        private var readsUnderWay = 0
        private var log: [(generation: UInt64, drop: Drop)] = []
        /// Reads that began before this generation are void.
        private var floor: UInt64 = 0

        var count: Int { self.index.count }

        mutating func entry(of key: Key) -> Entry? {
            guard let index = self.index[key] else { return nil }
            self.slots[index]?.isUsed = true
            return self.slots[index]?.entry
        }

        mutating func update(_ key: Key, _ body: (inout SessionRecord) -> Bool) -> Bool? {
            guard let index = self.index[key], var slot = self.slots[index], var record = slot.entry.record else {
                return nil
            }
            let result = body(&record)
            slot.entry.record = record
            self.slots[index] = slot
            return result
        }

        /// - Returns: whether that changed anything; nil where it is not cached.
        mutating func setPresented(_ key: Key, _ isPresented: Bool) -> Bool? {
            guard let index = self.index[key], let slot = self.slots[index] else { return nil }
            self.slots[index]?.entry.isPresented = isPresented
            return slot.entry.isPresented != isPresented
        }

        mutating func store(_ entry: Entry, at key: Key, capacity: Int) {
            if let old = self.index[key] { self.remove(old) }
            while self.index.count >= capacity { self.evict() }
            let slot = Slot(key: key, entry: entry, isUsed: false)
            let position: Int
            if let reused = self.free.popLast() {
                position = reused
                self.slots[position] = slot
            } else {
                position = self.slots.count
                self.slots.append(slot)
            }
            self.index[key] = position
            if let record = entry.record {
                self.users[RouteKey(domain: record.domain, user: record.user), default: []].insert(position)
            }
        }

        mutating func drop(_ drop: Drop) {
            for position in self.users[RouteKey(domain: drop.domain, user: drop.user)] ?? [] {
                if let record = self.slots[position]?.entry.record, drop.matches(record) { self.remove(position) }
            }
            self.generation += 1
            guard self.readsUnderWay > 0 else { return }
            self.log.append((self.generation, drop))
            if self.log.count > Self.longestLog {
                self.floor = self.generation
                self.log.removeAll()
            }
        }

        mutating func removeAll() {
            self.slots.removeAll()
            self.free.removeAll()
            self.hand = 0
            self.index.removeAll()
            self.users.removeAll()
            self.generation += 1
            self.floor = self.generation
            self.log.removeAll()
        }

        mutating func beginRead(_ key: Key) -> Read {
            self.readsUnderWay += 1
            return Read(key: key, generation: self.generation)
        }

        mutating func endRead(_ generation: UInt64, of record: SessionRecord?) -> Bool {
            self.readsUnderWay -= 1
            defer { if self.readsUnderWay == 0 { self.log.removeAll() } }
            guard generation >= self.floor else { return false }
            guard let record else { return true }
            return !self.log.contains { $0.generation > generation && $0.drop.matches(record) }
        }

        private mutating func evict() {
            while true {
                if self.hand >= self.slots.count { self.hand = 0 }
                defer { self.hand += 1 }
                guard let slot = self.slots[self.hand] else { continue }
                guard slot.isUsed else { return self.remove(self.hand) }
                self.slots[self.hand]?.isUsed = false
            }
        }

        private mutating func remove(_ position: Int) {
            guard let slot = self.slots[position] else { preconditionFailure("the index points at filled slots") }
            self.slots[position] = nil
            self.free.append(position)
            self.index[slot.key] = nil
            guard let record = slot.entry.record else { return }
            let key = RouteKey(domain: record.domain, user: record.user)
            self.users[key]?.remove(position)
            if self.users[key]?.isEmpty == true { self.users[key] = nil }
        }
    }
}
