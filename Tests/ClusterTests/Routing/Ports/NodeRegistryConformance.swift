import Routing
import Testing

/// What membership relies on (SPEC ND-2 to ND-5). Nodes are new in every run, so a database may be shared.
enum NodeRegistryConformance {
    static let checks: [ConformanceCheck<any NodeRegistry>] = [
        ConformanceCheck("ND-2: a registered record is found and listed, with every field") { registry async throws in
            let id = NodeID.random()
            let full = NodeRecord(
                id: id, name: "näme-\(id)", address: "http://127.0.0.1:8081", started: 1_700_000_000_123,
                homes: [NodeRecord.Home(shard: "shard0", slot: 3), NodeRecord.Home(shard: "shard1", slot: 0)])
            try await registry.register(full)
            #expect(try await registry.find(id) == full)
            let plain = try await Self.registered(registry)
            #expect(try await registry.find(plain.id) == plain)
            let reading = try await registry.list()
            #expect(reading.isComplete)
            #expect(reading.records.first { $0.id == id } == full)
            #expect(reading.records.first { $0.id == plain.id } == plain)
            // A repeat after an unknown outcome.
            try await registry.register(full)
            #expect(try await registry.find(id) == full)
        },
        ConformanceCheck("An unknown node is nil") { registry async throws in
            #expect(try await registry.find(.random()) == nil)
        },
        ConformanceCheck("ND-2: a renewal raises the beat and tells the time") { registry async throws in
            let record = try await Self.registered(registry)
            let first = try await registry.renew(record.id, beat: 1, intake: nil)
            let second = try await registry.renew(record.id, beat: 2, intake: 700)
            #expect(first.standing == .renewed && second.standing == .renewed)
            #expect(second.serverTime >= first.serverTime)
            // Between 2020 and 2100: milliseconds, not seconds.
            #expect((1_577_836_800_000..<4_102_444_800_000).contains(second.serverTime))
            #expect(try await registry.find(record.id)?.beat == 2)
            #expect(try await registry.find(record.id)?.intake == 700)
            _ = try await registry.renew(record.id, beat: 3, intake: nil)
            #expect(try await registry.find(record.id)?.intake == 700)
            #expect(try await registry.renew(.random(), beat: 1, intake: nil).standing == .lost)
        },
        ConformanceCheck("ND-4: a suspicion is a write that holds for this beat only") { registry async throws in
            let (record, reaper) = (try await Self.registered(registry), NodeID.random())
            _ = try await registry.renew(record.id, beat: 1, intake: nil)
            #expect(try await registry.suspect(record.id, beat: 1, by: reaper))
            #expect(try await registry.suspect(record.id, beat: 1, by: reaper))
            #expect(try await registry.suspect(record.id, beat: 0, by: reaper) == false)
            #expect(try await registry.suspect(.random(), beat: 0, by: reaper) == false)
            // It changes nothing that others see.
            let found = try #require(try await registry.find(record.id))
            #expect(found.state == .up && found.beat == 1 && found.claimedBy == nil)
        },
        ConformanceCheck("ND-4: one of many claims wins, and the node learns of it") { registry async throws in
            let record = try await Self.registered(registry)
            let wins = try await withThrowingTaskGroup { group in
                for _ in 0..<6 {
                    group.addTask { try await registry.claim(record.id, expecting: record, by: .random()) }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(wins == 1)
            let found = try #require(try await registry.find(record.id))
            #expect(found.state == .claimed)
            #expect(found.claimedBy != nil)
            #expect(found.claimBeat == record.claimBeat + 1)
            #expect(try await registry.renew(record.id, beat: 9, intake: nil).standing == .lost)
            #expect(try await registry.find(record.id)?.beat == 0)
        },
        ConformanceCheck("ND-4: a node that renewed meanwhile is not claimed") { registry async throws in
            let record = try await Self.registered(registry)
            _ = try await registry.renew(record.id, beat: 1, intake: nil)
            #expect(try await registry.claim(record.id, expecting: record, by: .random()) == false)
            #expect(try await registry.find(record.id)?.state == .up)
        },
        ConformanceCheck("ND-4: a claim is renewed, and taken over when it stands still", Self.takesOver),
        ConformanceCheck("ND-5, ND-12: states only move forward", Self.advances),
    ]

    @Sendable private static func takesOver(_ registry: any NodeRegistry) async throws {
        let (record, first, second) = (try await Self.registered(registry), NodeID.random(), NodeID.random())
        #expect(try await registry.claim(record.id, expecting: record, by: first))
        let claimed = try #require(try await registry.find(record.id))
        #expect(try await registry.renewClaim(record.id, claimBeat: claimed.claimBeat + 1, by: first))
        #expect(try await registry.renewClaim(record.id, claimBeat: claimed.claimBeat + 1, by: second) == false)
        let renewed = try #require(try await registry.find(record.id))
        #expect(renewed.claimBeat == claimed.claimBeat + 1)
        // Whoever saw the older beat is too late; the suspicion works on the claimed record too.
        #expect(try await registry.claim(record.id, expecting: claimed, by: second) == false)
        #expect(try await registry.suspect(record.id, beat: renewed.beat, by: second))
        #expect(try await registry.claim(record.id, expecting: renewed, by: second))
        #expect(try await registry.renewClaim(record.id, claimBeat: renewed.claimBeat + 9, by: first) == false)
        let taken = try #require(try await registry.find(record.id))
        #expect(taken.claimedBy == second && taken.claimBeat == renewed.claimBeat + 1)
        try await registry.advance(record.id, to: .gone)
        #expect(try await registry.renewClaim(record.id, claimBeat: taken.claimBeat + 1, by: second) == false)
    }

    @Sendable private static func advances(_ registry: any NodeRegistry) async throws {
        let record = try await Self.registered(registry)
        try await registry.advance(record.id, to: .draining)
        #expect(try await registry.find(record.id)?.state == .draining)
        #expect(try await registry.renew(record.id, beat: 1, intake: nil).standing == .renewed)
        try await registry.advance(record.id, to: .superseded)
        try await registry.advance(record.id, to: .draining)
        #expect(try await registry.find(record.id)?.state == .superseded)
        #expect(try await registry.renew(record.id, beat: 2, intake: nil).standing == .superseded)
        let superseded = try #require(try await registry.find(record.id))
        #expect(superseded.beat == 1)
        #expect(try await registry.claim(record.id, expecting: superseded, by: .random()))
        try await registry.advance(record.id, to: .gone)
        let gone = try #require(try await registry.find(record.id))
        #expect(gone.state == .gone)
        #expect(try await registry.list().records.contains { $0.id == record.id })
        #expect(try await registry.renew(record.id, beat: 3, intake: nil).standing == .lost)
        #expect(try await registry.suspect(record.id, beat: gone.beat, by: .random()) == false)
        #expect(try await registry.claim(record.id, expecting: gone, by: .random()) == false)
        // Of a node that is not there: nothing, and no record is made.
        let unknown = NodeID.random()
        try await registry.advance(unknown, to: .gone)
        #expect(try await registry.find(unknown) == nil)
    }

    private static func registered(_ registry: any NodeRegistry) async throws -> NodeRecord {
        let record = NodeRecord(id: .random(), name: nil, address: nil, started: 1_700_000_000_000, homes: [])
        try await registry.register(record)
        return record
    }
}
