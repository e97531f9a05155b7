import Routing
import Testing
import Wire

/// What Links rely on (SPEC LK-2 to LK-5). Keys are new in every run, so a database may be shared.
enum LinkStoreConformance {
    static let checks: [ConformanceCheck<any LinkStore>] = [
        ConformanceCheck("An unknown Link is nil") { store async throws in
            #expect(try await store.find(Self.record().key) == nil)
            #expect(try await store.findLatest(Self.record().key) == nil)
        },
        ConformanceCheck("A Link is found as it was written, with every field, open and closed") { store async throws in
            var record = Self.record(clients: true)
            record.sides[0].label = #"{"a":["b\u0000",1,null]}"#
            #expect(try await store.write(LinkWrite(expected: nil, new: record)))
            #expect(try await store.find(record.key) == record)
            var closed = record
            (closed.state, closed.reason) = (.closed, .kick)
            #expect(try await store.write(LinkWrite(expected: .init(record), new: closed)))
            #expect(try await store.find(record.key) == closed)
            #expect(try await store.findLatest(record.key) == closed)
            var again = Self.reopened(closed)
            again.state = .open
            #expect(try await store.write(LinkWrite(expected: .init(closed), new: again)))
            #expect(try await store.find(record.key) == again)
        },
        ConformanceCheck("LK-4: a write fits token and state, or changes nothing") { store async throws in
            let record = Self.record()
            var open = record
            open.state = .open
            #expect(try await store.write(LinkWrite(expected: .init(record), new: open)) == false)
            #expect(try await store.write(LinkWrite(expected: nil, new: record)))
            #expect(try await store.write(LinkWrite(expected: nil, new: Self.reopened(record))) == false)
            #expect(try await store.write(LinkWrite(expected: .init(open), new: open)) == false)
            #expect(try await store.write(LinkWrite(expected: .init(Self.reopened(record)), new: open)) == false)
            #expect(try await store.find(record.key) == record)
            #expect(try await store.write(LinkWrite(expected: .init(record), new: open)))
            #expect(try await store.find(record.key) == open)
        },
        ConformanceCheck("LK-2: of all who open a Link at once one does") { store async throws in
            let first = Self.record()
            let winners = try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        var mine = first
                        mine.token = .random(for: first.key)
                        return try await store.write(LinkWrite(expected: nil, new: mine))
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(winners == 1)
        },
        ConformanceCheck("LK-5: what is half open for too long is found, and nothing else") { store async throws in
            let now = SystemClusterClock().wallTime()
            var (old, new, open) = (Self.record(), Self.record(), Self.record())
            (old.changed, new.changed, open.changed) = (now - 20_000, now, now - 20_000)
            open.state = .open
            for record in [old, new, open] { _ = try await store.write(LinkWrite(expected: nil, new: record)) }
            let found = try await store.opening(before: now - 10_000, limit: 1_000)
            #expect(found.contains(old) && !found.contains(new) && !found.contains(open))
            var closed = old
            (closed.state, closed.reason) = (.closed, .offline)
            #expect(try await store.write(LinkWrite(expected: .init(old), new: closed)))
            #expect(try await store.opening(before: now - 10_000, limit: 1_000).contains { $0.key == old.key } == false)
        },
    ]

    static func record(clients: Bool = false) -> LinkRecord {
        var generator = SystemRandomNumberGenerator()
        let key = LinkKey(high: generator.next(), low: generator.next())
        return LinkRecord(
            domain: "conformance.test",
            sides: [
                .init(party: LinkParty(user: "alice", client: clients ? "phone" : nil), label: "{}"),
                .init(party: LinkParty(user: "bob", client: clients ? "laptop" : nil), label: "null"),
            ],
            state: .opening, token: .random(for: key), generation: 1_700_000_000,
            changed: SystemClusterClock().wallTime())
    }

    private static func reopened(_ record: LinkRecord) -> LinkRecord {
        LinkRecord(
            domain: record.domain, sides: record.sides, state: .opening, token: .random(for: record.key),
            generation: record.generation + 1, changed: record.changed)
    }
}
