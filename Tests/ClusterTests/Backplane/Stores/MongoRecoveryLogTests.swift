import Logging
import NIOCore
import Routing
import Testing
import Wire

@testable import Backplane

/// What is particular to the recovery log in MongoDB: its making, and what it says once it was overwritten (SOCKETIO §14.2).
@Suite("Recovery log on MongoDB", .tags(.integration), .serialized, .timeLimit(.minutes(3)))
struct MongoRecoveryLogTests {
    private static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    private func open(
        _ fixture: MongoFixture, database: String, size: Int?, makesMissing: Bool = true
    ) async throws(MongoError) -> MongoCluster {
        let uri: String
        do {
            uri = try fixture.uri
        } catch {
            throw MongoError(.refused, operation: "test", message: "\(error)")
        }
        var settings = MongoSettings(uri: uri, database: database)
        settings.slots = 1
        settings.slotSize = 1 << 20
        settings.recoveryLog = size
        return try await MongoCluster.open(settings, makesMissing: makesMissing, logger: Self.quiet)
    }

    @Test(
        "Off it makes nothing; on it is made once, and an overwritten log stays so after set-up",
        arguments: MongoFixture.allCases)
    func making(fixture: MongoFixture) async throws {
        let database = MongoFixture.database()
        let off = try await self.open(fixture, database: database, size: nil)
        #expect(off.recoveryLog == nil)
        await off.shutdown()
        await #expect(throws: MongoError.self) {
            _ = try await self.open(fixture, database: database, size: 64 << 10, makesMissing: false)
        }

        let first = try await self.open(fixture, database: database, size: 64 << 10)
        let log = try #require(first.recoveryLog)
        let user = RecoveryLogConformance.Subject("overwritten")
        let place = log.place(of: user.key)
        #expect(log.places == first.topology.shards)
        var entry = user.entry(1)
        entry.time -= 3_600_000
        var query = user.query()
        query.since = entry.time
        try await log.append([entry], to: place)
        #expect(try await log.read(query, at: place).isComplete)
        let filling = OutboundPacket(text: ByteBuffer(string: "2[\"" + String(repeating: "x", count: 2_000) + "\"]"))
        for number in 1...Int64(60) { try await log.append([user.entry(1 + number, filling)], to: place) }
        #expect(try await log.read(query, at: place).isComplete == false)
        await first.shutdown()

        let second = try await self.open(fixture, database: database, size: 64 << 10)
        let again = try #require(second.recoveryLog)
        #expect(try await again.read(query, at: place).isComplete == false)
        // Who was away only for what is still there is recovered.
        var late = user.query(position: [user.stream: 60])
        late.since = RecoveryLogConformance.Subject.now + RecoveryQuery.margin + 1
        let history = try await again.read(late, at: place)
        #expect(history.isComplete && history.events.map(\.mark.number) == [61])
        await second.shutdown()
    }

    @Test("A place that this node does not know by itself is written and read by its name")
    func unknownPlace() async throws {
        let cluster = try await self.open(.sharded, database: MongoFixture.database(), size: 1 << 20)
        var narrow = cluster.topology.routes.shards
        #expect(narrow.count > 1)
        let other = narrow.removeLast()
        let topology = MongoTopology(
            deployment: cluster.topology.deployment, shards: narrow, bus: cluster.topology.bus,
            routes: ShardMap(single: narrow[0]), sessions: cluster.topology.sessions,
            nodes: cluster.topology.nodes, tickets: cluster.topology.tickets,
            links: cluster.topology.links, answers: cluster.topology.answers)
        let log = MongoRecoveryLog(
            settings: cluster.settings, topology: topology, lanes: [cluster.commands], general: cluster.commands,
            logger: Self.quiet)
        let user = RecoveryLogConformance.Subject("unknown place")
        #expect(!log.places.contains(other))
        try await log.append([user.entry(1)], to: other)
        let known = try #require(cluster.recoveryLog)
        #expect(try await known.read(user.query(), at: other).events.count == 1)
        #expect(try await log.read(user.query(), at: other).events.count == 1)
        await cluster.shutdown()
    }

    @Test("A client's clauses are ranges of the index, whatever else is in the log")
    func plan() async throws {
        let cluster = try await self.open(.replicaSet, database: MongoFixture.database(), size: 4 << 20)
        let log = try #require(cluster.recoveryLog)
        let user = RecoveryLogConformance.Subject("plan")
        let place = log.place(of: user.key)
        for _ in 0..<20 {
            let other = RecoveryLogConformance.Subject("other")
            try await log.append((1...50).map { other.entry($0) }, to: place)
        }
        // In eight sheets: what is asked for is in the last one.
        try await log.append((1...500).map { user.entry($0) }, to: place)
        let query = user.query(position: [user.stream: 490])
        let find = try BSONDocument(
            MongoRecoveryLog.find(user.key, in: "recovery", MongoRecoveryLog.ownClauses(query), maxTime: 1_000))
        let explain = BSONWriter.document { command in
            command.document("explain") { inner in
                for element in find { inner.append(element.name, element) }
            }
            command.append("verbosity", "executionStats")
        }
        let reply = try await cluster.commands.run(explain, database: cluster.settings.busDatabase)
        let stats = try #require(reply["executionStats"]?.document)
        #expect(stats["nReturned"]?.int == 1)
        let examined = try #require(stats["totalDocsExamined"]?.int)
        #expect(examined <= 2)
        await cluster.shutdown()
    }
}
