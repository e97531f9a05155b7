import Routing
import Testing

@testable import Node

@Suite("ID-15: the session cache")
struct NodeSessionCacheTests {
    @Test("ID-15: an unknown session is asked for again after 2 s, not before")
    func negative() async throws {
        let node = NodeTestIdentity()
        let cookie = "__Host-session=\(SessionSecret.random().text)"
        for (pause, finds) in [(0.0, 1), (1.9, 1), (0.1, 2)] {
            node.clock.advance(pause)
            #expect(try await node.agent(headers: [("Cookie", cookie)]).isGuest)
            #expect(node.store.counts.finds == finds)
        }
    }

    @Test("ID-15: a record is read again once after 15 s, and then trusted for sessionCacheTimeout")
    func confirmation() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        for (pause, finds) in [(0.0, 1), (14.9, 1), (0.1, 2), (60.0, 2), (1_739.9, 2), (0.1, 3), (14.9, 3), (0.1, 4)] {
            node.clock.advance(pause)
            #expect(try await node.agent(cookies: cookies).isActive)
            #expect(node.store.counts.finds == finds, "after \(pause) s")
        }
    }

    @Test("ID-15: an idle session is trusted for 2 s only, so that a login elsewhere shows")
    func idle() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login(remember: true)
        try await node.agent(cookies: cookies).logout()
        let before = node.store.counts.finds
        for (pause, finds) in [(0.0, 1), (1.0, 1), (1.0, 2)] {
            node.clock.advance(pause)
            #expect(try await node.agent(cookies: cookies).isIdle)
            #expect(node.store.counts.finds - before == finds)
        }
    }

    @Test("ID-13: a read that an invalidation overtakes is made again")
    func overtaken() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        let cookie = try #require(cookies.first)
        let hash = try #require(SessionSecret(cookie.value)).hash
        node.store.duringNextFind {
            do {
                try await node.store.inner.invalidate(hash, reason: "logout")
            } catch {
                Issue.record(error)
            }
            node.cache.drop(domain: "example.org", user: "alice", client: nil)
        }
        #expect(try await node.agent(cookies: cookies).isIdle)
        #expect(node.store.counts.finds == 2)
    }

    @Test("ID-13: an invalidation of somebody else spoils no read; a gap spoils all")
    func spoiled() {
        let cache = SessionCache(SessionOptions())
        let record = Self.record(1)
        func read() throws -> SessionCache.Read {
            guard case .read(let read) = cache.lookup(record.hash, in: "example.org", at: 0) else {
                throw StoreError(.rejected, operation: "test", message: "cached")
            }
            return read
        }
        #expect(throws: Never.self) {
            let first = try read()
            cache.drop(domain: "example.org", user: "bob", client: nil)
            cache.drop(domain: "example.org", user: record.user, client: "laptop")
            cache.drop(domain: "other.org", user: record.user, client: nil)
            #expect(cache.finish(first, with: record, at: 0))
            cache.removeAll()
            let second = try read()
            cache.removeAll()
            #expect(!cache.finish(second, with: record, at: 0))
            let third = try read()
            for index in 0..<2_000 { cache.drop(domain: "example.org", user: "user\(index)", client: nil) }
            #expect(!cache.finish(third, with: record, at: 0), "more invalidations than are kept")
            let fourth = try read()
            cache.drop(domain: "example.org", user: record.user, client: record.client)
            #expect(!cache.finish(fourth, with: record, at: 0))
        }
    }

    @Test("ID-15: dropped by (domain, user, client?) and nothing else")
    func drop() {
        let cache = SessionCache(SessionOptions())
        let records = [
            Self.record(1), Self.record(2, client: "laptop"), Self.record(3, user: "bob"),
            Self.record(4, domain: "other.org"),
        ]
        for record in records { Self.fill(cache, record) }
        #expect(cache.count == 4)
        cache.drop(domain: "example.org", user: "alice", client: "phone")
        #expect(cache.count == 3)
        cache.drop(domain: "example.org", user: "alice", client: nil)
        #expect(cache.count == 2)
        #expect(cache.lookup(records[2].hash, in: "example.org", at: 0) == .known(records[2]))
        #expect(cache.lookup(records[3].hash, in: "other.org", at: 0) == .known(records[3]))
    }

    @Test("ID-7: the cache holds cacheSessions entries, and what is used stays")
    func bounded() {
        var options = SessionOptions()
        options.cacheSessions = 64
        let cache = SessionCache(options)
        let busy = Self.record(255)
        Self.fill(cache, busy)
        for index in 0..<1_000 {
            #expect(cache.lookup(busy.hash, in: busy.domain, at: 0) == .known(busy))
            Self.fill(cache, Self.record(UInt8(index % 250), user: "user\(index)", mark: UInt8(index / 250)))
            #expect(cache.count <= 64)
        }
        cache.removeAll()
        #expect(cache.count == 0)
    }

    @Test("ND-2, ND-11: bypassed, nothing is kept and every lookup reads")
    func bypassed() {
        let cache = SessionCache(SessionOptions())
        Self.fill(cache, Self.record(1))
        cache.setBypassed(true)
        #expect(cache.count == 0)
        Self.fill(cache, Self.record(1))
        #expect(cache.count == 0)
        cache.setBypassed(false)
        Self.fill(cache, Self.record(1))
        #expect(cache.count == 1)
    }

    private static func fill(_ cache: SessionCache, _ record: SessionRecord) {
        if case .read(let read) = cache.lookup(record.hash, in: record.domain, at: 0) {
            #expect(cache.finish(read, with: record, at: 0))
        }
    }

    private static func record(
        _ byte: UInt8, user: String = "alice", client: String = "phone", domain: String = "example.org", mark: UInt8 = 0
    ) -> SessionRecord {
        SessionRecord(
            hash: [mark] + [UInt8](repeating: byte, count: 31), domain: domain, user: user, client: client, now: 0,
            isRemembered: false, expires: 1_000_000)
    }
}
