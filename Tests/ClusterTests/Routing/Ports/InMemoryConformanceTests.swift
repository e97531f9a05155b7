import Routing
import Testing

/// The in-memory implementations pass the suites of the ports, as those on MongoDB do.
@Suite("Ports in memory", .timeLimit(.minutes(1))) struct InMemoryConformanceTests {
    @Test("RouteStore", arguments: RouteStoreConformance.checks, [1, 3])
    func routes(check: ConformanceCheck<any RouteStore>, shards: Int) async throws {
        try await check.run(InMemoryRouteStore(shardCount: shards))
    }

    @Test("RecoveryLog (SOCKETIO §14.2)", arguments: RecoveryLogConformance.checks)
    func recoveryLog(check: ConformanceCheck<any RecoveryLog>) async throws {
        try await check.run(InMemoryRecoveryLog())
    }

    @Test("A recovery log that was overwritten says so to whom it concerns")
    func overwritten() async throws {
        let user = RecoveryLogConformance.Subject("overwritten")
        let log = InMemoryRecoveryLog(capacity: 10_000)
        var first = user.entry(1)
        first.time -= RecoveryQuery.margin
        var query = user.query()
        query.since = first.time + RecoveryQuery.margin
        try await log.append([first], to: "memory")
        #expect(try await log.read(query, at: "memory").isComplete)
        try await log.append((2...100).map { user.entry($0) }, to: "memory")
        #expect(try await log.read(query, at: "memory").isComplete == false)
    }

    @Test("SessionStore", arguments: SessionStoreConformance.checks)
    func sessions(check: ConformanceCheck<any SessionStore>) async throws {
        try await check.run(InMemorySessionStore())
    }

    @Test("TicketStore", arguments: TicketStoreConformance.checks)
    func tickets(check: ConformanceCheck<any TicketStore>) async throws {
        try await check.run(InMemoryTicketStore())
    }

    @Test("AnswerStore", arguments: AnswerStoreConformance.checks)
    func answers(check: ConformanceCheck<any AnswerStore>) async throws {
        try await check.run(InMemoryAnswerStore())
    }

    @Test("DomainStore", arguments: DomainStoreConformance.checks)
    func domains(check: ConformanceCheck<any DomainStore>) async throws {
        try await check.run(InMemoryDomainStore())
    }

    @Test("LinkStore", arguments: LinkStoreConformance.checks)
    func links(check: ConformanceCheck<any LinkStore>) async throws {
        try await check.run(InMemoryLinkStore())
    }

    @Test("NodeRegistry", arguments: NodeRegistryConformance.checks)
    func nodes(check: ConformanceCheck<any NodeRegistry>) async throws {
        try await check.run(InMemoryNodeRegistry())
    }

    @Test("ClusterAdapter", arguments: ClusterAdapterConformance.checks)
    func adapter(check: ConformanceCheck<ClusterAdapterConformance.Stage>) async throws {
        let hub = LoopbackHub()
        try await check.run(
            ClusterAdapterConformance.Stage { receiver in
                let record = NodeRecord(id: .random(), name: nil, address: nil, started: 0, homes: [])
                let adapter = hub.open(record.id, receiver: receiver)
                // Ends with the adapter's shutdown.
                Task { await adapter.run() }
                return (record, adapter)
            })
    }
}
