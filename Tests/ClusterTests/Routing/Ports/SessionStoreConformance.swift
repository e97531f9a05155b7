import Routing
import Testing

/// What sessions rely on (SPEC §3). Hashes and users are new in every run, so a database may be shared.
enum SessionStoreConformance {
    static let checks: [ConformanceCheck<any SessionStore>] = [
        ConformanceCheck("An unknown hash is nil") { store async throws in
            #expect(try await store.find(Self.hash()) == nil)
            #expect(try await store.find([Self.hash(), Self.hash()]) == [])
        },
        ConformanceCheck("A record is found as it was inserted, with every field") { store async throws in
            let plain = Self.record()
            try await store.insert(plain)
            #expect(try await store.find(plain.hash) == plain)

            var full = Self.record(user: "ünïcode \u{1F980}", client: "a.b$c")
            full.isRemembered = true
            full.chain = Self.hash()
            full.predecessor = Self.hash()
            full.renewal = Self.renewal()
            full.successorPresented = full.created + 7
            full.successor = Self.hash()
            full.login = full.created - 5
            full.isValid = false
            full.reason = "expired"
            try await store.insert(full)
            #expect(try await store.find(full.hash) == full)
        },
        ConformanceCheck("ID-9: inserting a hash that is there succeeds and changes nothing") { store async throws in
            let record = Self.record()
            try await store.insert(record)
            var other = record
            other.user = "somebody else"
            try await store.insert(other)
            #expect(try await store.find(record.hash) == record)
        },
        ConformanceCheck("Several at once; unknown ones are absent") { store async throws in
            let records = (0..<50).map { _ in Self.record() }
            for record in records { try await store.insert(record) }
            let found = try await store.find(records.map(\.hash) + [Self.hash()])
            #expect(found.count == records.count)
            #expect(Set(found.map(\.hash)) == Set(records.map(\.hash)))
        },
        ConformanceCheck("Invalidating one marks that one") { store async throws in
            let (record, other) = (Self.record(), Self.record())
            try await store.insert(record)
            try await store.insert(other)
            try await store.invalidate(record.hash, reason: "logout")
            let found = try #require(try await store.find(record.hash))
            #expect(!found.isValid)
            #expect(found.reason == "logout")
            #expect(try await store.find(other.hash) == other)
            // Of one that is not there: nothing, and no record is made.
            let unknown = Self.hash()
            try await store.invalidate(unknown, reason: "logout")
            #expect(try await store.find(unknown) == nil)
        },
        ConformanceCheck("ID-13: a pass marks what is valid, and the last pass finds nothing", Self.invalidatesAll),
        ConformanceCheck("ID-9, ID-10: a pass over a chain marks that chain only") { store async throws in
            let user = "user-\(Base64URL.random128())"
            var (first, second) = (Self.record(user: user), Self.record(user: user))
            (first.chain, second.chain) = (first.hash, first.hash)
            second.predecessor = first.hash
            let other = Self.record(user: user)
            var elsewhere = Self.record(user: user, client: "laptop")
            elsewhere.chain = first.chain
            for record in [first, second, other, elsewhere] { try await store.insert(record) }
            func pass() async throws -> Int {
                try await store.invalidateChain(
                    first.chain, domain: first.domain, user: user, client: "phone", reason: "session")
            }
            #expect(try await pass() == 2)
            #expect(try await pass() == 0)
            #expect(try await store.find(first.hash)?.isValid == false)
            #expect(try await store.find(second.hash)?.reason == "session")
            #expect(try await store.find(other.hash) == other)
            #expect(try await store.find(elsewhere.hash) == elsewhere)
        },
        ConformanceCheck("ID-9: the latest read shows what was written") { store async throws in
            let record = Self.record()
            #expect(try await store.findLatest(record.hash) == nil)
            try await store.insert(record)
            #expect(try await store.findLatest(record.hash) == record)
            try await store.invalidate(record.hash, reason: "logout")
            #expect(try await store.findLatest(record.hash)?.isValid == false)
        },
        ConformanceCheck("ID-8: activity only rises") { store async throws in
            let record = Self.record()
            try await store.insert(record)
            try await store.touch(record.hash, activity: record.activity + 1_000)
            #expect(try await store.find(record.hash)?.activity == record.activity + 1_000)
            try await store.touch(record.hash, activity: record.activity + 10)
            #expect(try await store.find(record.hash)?.activity == record.activity + 1_000)
            let unknown = Self.hash()
            try await store.touch(unknown, activity: 1)
            #expect(try await store.find(unknown) == nil)
        },
        ConformanceCheck("ID-9: the first renewal nonce stays, for everybody who asks at once") { store async throws in
            let record = Self.record()
            try await store.insert(record)
            let nonces = try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask { try await store.beginRenewal(record.hash, Self.renewal())?.renewal }
                }
                return try await group.reduce(into: Set<SessionRecord.Renewal?>()) { $0.insert($1) }
            }
            #expect(nonces.count == 1)
            #expect(nonces.contains(nil) == false)
            #expect(try await store.find(record.hash)?.renewal == nonces.first)
        },
        ConformanceCheck("ID-9: an invalid session begins no renewal, an unknown one is nil") { store async throws in
            let record = Self.record()
            try await store.insert(record)
            try await store.invalidate(record.hash, reason: "kick")
            let found = try #require(try await store.beginRenewal(record.hash, Self.renewal()))
            #expect(found.renewal == nil)
            #expect(!found.isValid)
            #expect(try await store.beginRenewal(Self.hash(), Self.renewal()) == nil)
        },
        ConformanceCheck("ID-9: the successor's first presentation is noted once") { store async throws in
            let record = Self.record()
            try await store.insert(record)
            let successor = Self.hash()
            try await store.noteSuccessorPresented(record.hash, successor: successor, at: 1_000)
            try await store.noteSuccessorPresented(record.hash, successor: Self.hash(), at: 2_000)
            #expect(try await store.find(record.hash)?.successorPresented == 1_000)
            #expect(try await store.find(record.hash)?.successor == successor)
        },
    ]

    @Sendable private static func invalidatesAll(_ store: any SessionStore) async throws {
        let user = "user-\(Base64URL.random128())"
        let phones = (0..<5).map { _ in Self.record(user: user, client: "phone") }
        let laptop = Self.record(user: user, client: "laptop")
        let elsewhere = Self.record(domain: "other.test", user: user, client: "phone")
        for record in phones + [laptop, elsewhere] { try await store.insert(record) }

        let domain = laptop.domain
        let marked = try await store.invalidateAll(domain: domain, user: user, client: "phone", reason: "logout")
        #expect(marked == phones.count)
        #expect(try await store.invalidateAll(domain: domain, user: user, client: "phone", reason: "logout") == 0)
        for record in phones {
            let found = try await store.find(record.hash)
            #expect(found?.isValid == false)
            #expect(found?.reason == "logout")
        }
        #expect(try await store.find(laptop.hash) == laptop)
        #expect(try await store.invalidateAll(domain: domain, user: user, client: nil, reason: "kick") == 1)
        #expect(try await store.invalidateAll(domain: domain, user: user, client: nil, reason: "kick") == 0)
        #expect(try await store.find(laptop.hash)?.reason == "kick")
        #expect(try await store.find(elsewhere.hash) == elsewhere)
    }

    private static func hash() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    private static func renewal() -> SessionRecord.Renewal {
        SessionRecord.Renewal(key: Array(Self.hash().prefix(8)), nonce: Self.hash())
    }

    private static func record(
        domain: String = "conformance.test", user: String = "user-\(Base64URL.random128())", client: String = "phone"
    ) -> SessionRecord {
        let now = SystemClusterClock().wallTime()
        return SessionRecord(
            hash: Self.hash(), domain: domain, user: user, client: client, now: now, isRemembered: false,
            expires: now + 3_600_000)
    }
}
