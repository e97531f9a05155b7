import Routing
import Synchronization
import Testing

@Suite("LK-10: the cache of Links") struct LinkCacheTests {
    private final class Clock: Sendable {
        let time = Atomic<Int64>(0)
    }

    private let clock = Clock()
    private let alice = RouteKey(domain: "localhost", user: "alice")
    private let bob = RouteKey(domain: "localhost", user: "bob")

    private func cache(_ capacity: Int = 10) -> LinkCache {
        let clock = self.clock
        return LinkCache(capacity: capacity, now: { clock.time.load(ordering: .relaxed) })
    }

    private func record(_ number: UInt64, _ state: LinkRecord.State = .open) -> LinkRecord {
        LinkRecord(
            domain: "localhost",
            sides: [
                .init(party: LinkParty(user: "alice", client: nil), label: "{}"),
                .init(party: LinkParty(user: "bob", client: nil), label: "{}"),
            ],
            state: state, token: LinkToken(key: LinkKey(high: 0, low: number), high: 0, low: number), generation: 1,
            changed: 0)
    }

    /// - Returns: nil where it was found.
    private func ticket(_ cache: LinkCache, _ number: UInt64, for user: RouteKey? = nil) -> LinkCache.Ticket? {
        if case .read(let ticket) = cache.look(self.record(number).key, for: user ?? self.alice) { ticket } else { nil }
    }

    private func fill(_ cache: LinkCache, _ number: UInt64, _ state: LinkRecord.State = .open) throws {
        cache.keep(self.record(number, state), try #require(self.ticket(cache, number)))
    }

    @Test("What was read is found for five minutes; what is not open is not kept")
    func keeps() throws {
        let cache = self.cache()
        try self.fill(cache, 1)
        #expect(cache.look(self.record(1).key, for: self.bob) == .found(self.record(1)))
        for state in [LinkRecord.State.opening, .closed] {
            try self.fill(cache, 2, state)
            #expect(self.ticket(cache, 2) != nil)
        }
        self.clock.time.store(Nanoseconds.seconds(300), ordering: .relaxed)
        #expect(self.ticket(cache, 1) != nil && cache.count == 0)
    }

    @Test("A message takes the entry, and a read that is under way is not kept")
    func drops() throws {
        let cache = self.cache()
        try self.fill(cache, 1)
        let late = try #require(self.ticket(cache, 2))
        cache.drop(self.record(1).key)
        cache.drop(self.record(2).key)
        cache.keep(self.record(2), late)
        #expect(self.ticket(cache, 1) != nil && self.ticket(cache, 2) != nil)
        try self.fill(cache, 2)
        #expect(self.ticket(cache, 2) == nil)
    }

    @Test("An entry goes with a connection of either party, and a read with that of who asked")
    func leaves() throws {
        let cache = self.cache()
        for user in [self.alice, self.bob] {
            try self.fill(cache, 1)
            cache.drop(of: user)
            #expect(cache.count == 0)
        }
        let late = try #require(self.ticket(cache, 1, for: self.bob))
        cache.drop(of: self.alice)
        cache.keep(self.record(1), late)
        #expect(cache.count == 1)
        let gone = try #require(self.ticket(cache, 2, for: self.bob))
        cache.drop(of: self.bob)
        cache.keep(self.record(2), gone)
        #expect(cache.count == 0)
    }

    @Test("ND-11: a node that hears nothing of the others finds nothing")
    func untrusted() throws {
        let cache = self.cache()
        try self.fill(cache, 1)
        guard case .read = cache.look(self.record(1).key, for: self.alice, isTrusted: false) else {
            return #expect(Bool(false), "it was found")
        }
        #expect(self.ticket(cache, 1) == nil)
    }

    @Test("ND-9: after a gap nothing is left")
    func gap() throws {
        let cache = self.cache()
        try self.fill(cache, 1)
        let late = try #require(self.ticket(cache, 2))
        cache.removeAll()
        cache.keep(self.record(2), late)
        #expect(cache.count == 0)
    }

    @Test("It is bounded: the oldest goes")
    func bounded() throws {
        let cache = self.cache(3)
        for number in 1...50 as ClosedRange<UInt64> { try self.fill(cache, number) }
        #expect(cache.count == 3)
        #expect((48...50).allSatisfy { self.ticket(cache, $0) == nil } && self.ticket(cache, 47) != nil)
    }
}
