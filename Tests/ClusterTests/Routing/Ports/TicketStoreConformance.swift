import Routing
import Testing

/// What session tickets rely on (SPEC ID-17). Hashes are new in every run, so a database may be shared.
enum TicketStoreConformance {
    static let checks: [ConformanceCheck<any TicketStore>] = [
        ConformanceCheck("An unknown ticket is nil, and cannot be used") { store async throws in
            #expect(try await store.find(Self.hash()) == nil)
            #expect(try await store.use(Self.hash()) == false)
        },
        ConformanceCheck("A ticket is found as it was inserted, with every field") { store async throws in
            let ticket = Self.ticket()
            try await store.insert(ticket)
            #expect(try await store.find(ticket.id) == ticket)
        },
        ConformanceCheck("ID-17: of all who use a ticket at once one does") { store async throws in
            let (ticket, other) = (Self.ticket(), Self.ticket())
            try await store.insert(ticket)
            try await store.insert(other)
            let winners = try await withThrowingTaskGroup { group in
                for _ in 0..<8 { group.addTask { try await store.use(ticket.id) } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(winners == 1)
            #expect(try await store.find(ticket.id)?.isUsed == true)
            #expect(try await store.find(other.id) == other)
        },
        ConformanceCheck("A ticket past its end may be gone, but is never as good as new") { store async throws in
            var ticket = Self.ticket()
            ticket.expires = SystemClusterClock().wallTime() - 1_000
            try await store.insert(ticket)
            if let found = try await store.find(ticket.id) { #expect(found == ticket) }
        },
    ]

    private static func hash() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    private static func ticket() -> TicketRecord {
        TicketRecord(
            id: Self.hash(), domain: "conformance.test", chain: Self.hash(), socket: "node.socket",
            sealed: Self.hash() + Self.hash(), expires: SystemClusterClock().wallTime() + 60_000)
    }
}
