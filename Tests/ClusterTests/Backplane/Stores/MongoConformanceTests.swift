import Logging
import NIOCore
import Routing
import Testing

@testable import Backplane

/// The stores and the bus on MongoDB pass the suites of the ports, as the in-memory ones do: on a replica set, and on two
/// shards behind a router.
@Suite("Ports on MongoDB", .tags(.integration), .serialized, .timeLimit(.minutes(5)))
struct MongoConformanceTests {
    /// One set-up database per deployment, shared by all checks: keys are unique per run.
    private static let clusters = MongoFixture.allCases.reduce(into: [MongoFixture: OpenCluster]()) {
        $0[$1] = OpenCluster($1)
    }

    /// Opens its cluster on first use; lives as long as the test process.
    private actor OpenCluster {
        private let fixture: MongoFixture
        private var opening: Task<MongoCluster, any Error>?

        init(_ fixture: MongoFixture) { self.fixture = fixture }

        func open() async throws -> MongoCluster {
            if let opening { return try await opening.value }
            let fixture = self.fixture
            let task = Task {
                var settings = MongoSettings(uri: try fixture.uri, database: MongoFixture.database())
                settings.slots = 4
                settings.slotSize = 8 << 20
                settings.recoveryLog = 8 << 20
                return try await MongoCluster.open(settings, logger: MongoConformanceTests.quiet)
            }
            self.opening = task
            return try await task.value
        }
    }

    private static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    private func cluster(_ fixture: MongoFixture) async throws -> MongoCluster {
        try await #require(Self.clusters[fixture]).open()
    }

    @Test("RouteStore (SPEC LC-1, LC-2, LC-4, ND-1)", arguments: RouteStoreConformance.checks, MongoFixture.allCases)
    func routes(check: ConformanceCheck<any RouteStore>, fixture: MongoFixture) async throws {
        try await check.run(try await self.cluster(fixture).routes)
    }

    @Test(
        "ND-14: with a stale chunk table batches span shards, and are right all the same",
        arguments: RouteStoreConformance.checks)
    func staleChunkTable(check: ConformanceCheck<any RouteStore>) async throws {
        let cluster = try await self.cluster(.sharded)
        try await check.run(
            MongoRouteStore(
                settings: cluster.settings, shards: ShardMap(single: "all"), lanes: [cluster.commands],
                general: cluster.commands, logger: Self.quiet))
    }

    @Test("RecoveryLog (SOCKETIO §14.2)", arguments: RecoveryLogConformance.checks, MongoFixture.allCases)
    func recoveryLog(check: ConformanceCheck<any RecoveryLog>, fixture: MongoFixture) async throws {
        try await check.run(try #require(try await self.cluster(fixture).recoveryLog))
    }

    @Test("SessionStore (SPEC ID-1, ID-9, ID-13)", arguments: SessionStoreConformance.checks, MongoFixture.allCases)
    func sessions(check: ConformanceCheck<any SessionStore>, fixture: MongoFixture) async throws {
        try await check.run(try await self.cluster(fixture).sessions)
    }

    @Test("TicketStore (SPEC ID-17)", arguments: TicketStoreConformance.checks, MongoFixture.allCases)
    func tickets(check: ConformanceCheck<any TicketStore>, fixture: MongoFixture) async throws {
        try await check.run(try await self.cluster(fixture).tickets)
    }

    @Test("AnswerStore (RM-1)", arguments: AnswerStoreConformance.checks, MongoFixture.allCases)
    func answers(check: ConformanceCheck<any AnswerStore>, fixture: MongoFixture) async throws {
        try await check.run(try await self.cluster(fixture).answers)
    }

    @Test("DomainStore (SPEC RM-4)", arguments: DomainStoreConformance.checks, MongoFixture.allCases)
    func domains(check: ConformanceCheck<any DomainStore>, fixture: MongoFixture) async throws {
        try await check.run(try await self.cluster(fixture).domains)
    }

    @Test("LinkStore (SPEC LK-2 to LK-5)", arguments: LinkStoreConformance.checks, MongoFixture.allCases)
    func links(check: ConformanceCheck<any LinkStore>, fixture: MongoFixture) async throws {
        try await check.run(try await self.cluster(fixture).links)
    }

    @Test("NodeRegistry (SPEC ND-2 to ND-5)", arguments: NodeRegistryConformance.checks, MongoFixture.allCases)
    func nodes(check: ConformanceCheck<any NodeRegistry>, fixture: MongoFixture) async throws {
        try await check.run(try await self.cluster(fixture).nodes)
    }

    @Test("ClusterAdapter (SPEC ND-6 to ND-8, EV-1)", arguments: ClusterAdapterConformance.checks, BusStage.Way.all)
    func adapter(check: ConformanceCheck<ClusterAdapterConformance.Stage>, way: BusStage.Way) async throws {
        let cluster = try await self.cluster(way.cluster)
        let directory = BusTestDirectory()
        try await check.run(
            ClusterAdapterConformance.Stage { receiver in
                let id = NodeID.random()
                let homes = HomeChoice.homes(for: id, topology: cluster.topology.bus, others: directory.all)
                let record = NodeRecord(id: id, name: nil, address: nil, started: 0, homes: homes)
                directory.set(record)
                var options = BusOptions()
                options.tail = way.tail
                let adapter = try await MongoClusterAdapter.open(
                    node: id, homes: homes, topology: cluster.topology.bus, directory: directory, receiver: receiver,
                    options: options, logger: Self.quiet)
                return (record, adapter)
            })
    }
}
