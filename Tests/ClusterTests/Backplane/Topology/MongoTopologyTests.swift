import Logging
import NIOCore
import Testing
import Wire

@testable import Backplane

@Suite("Set-up and topology", .tags(.integration), .timeLimit(.minutes(3)))
struct MongoTopologyTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func settings(_ deployment: MongoFixture) throws -> MongoSettings {
        var settings = MongoSettings(uri: try deployment.uri, database: MongoFixture.database())
        settings.slots = 2
        settings.slotSize = 1 << 20
        return settings
    }

    /// On threads of their own, as many nodes at once.
    private static func open(
        _ settings: MongoSettings, makesMissing: Bool = true
    ) async throws -> MongoTopology {
        let commands = MongoCommands(pool: try MongoPool(uri: settings.uri), threads: 1)
        do {
            let topology = try await commands.perform("open", deadline: .now() + .minutes(2)) { _ throws(MongoError) in
                try MongoTopology.open(settings, makesMissing: makesMissing, logger: Self.logger)
            }
            await commands.shutdown()
            return topology
        } catch {
            await commands.shutdown()
            throw error
        }
    }

    @Test("§2: set-up from several nodes at once, and again, ends in the same place", arguments: MongoFixture.allCases)
    func concurrent(deployment: MongoFixture) async throws {
        let settings = try Self.settings(deployment)
        async let first = Self.open(settings)
        async let second = Self.open(settings)
        async let third = Self.open(settings)
        let topologies = try await [first, second, third, Self.open(settings)]
        #expect(
            topologies.allSatisfy { $0.bus.shards == topologies[0].bus.shards && $0.shards == topologies[0].shards })
        let again = try await Self.open(settings, makesMissing: false)
        #expect(again.bus.shards == topologies[0].bus.shards)
    }

    @Test("§2, ND-6: a sharded cluster has hashed collections on all shards, and slots in one database per shard")
    func sharded() async throws {
        let settings = try Self.settings(.sharded)
        let topology = try await Self.open(settings)
        #expect(topology.deployment.kind == .sharded)
        #expect(topology.shards == ["shard1", "shard2"])
        #expect(topology.bus.shards.map(\.name) == ["shard1", "shard2"])
        let client = try MongoPool(uri: settings.uri).client()
        for shard in topology.bus.shards {
            #expect(shard.isRouted)
            let find = BSONWriter.document {
                $0.append("find", "databases")
                $0.document("filter") { $0.append("_id", shard.database) }
            }
            #expect(try client.documents(find, database: "config").first?["primary"]?.string == shard.name)
            let list = BSONWriter.document { $0.append("listCollections", Int32(1)) }
            let collections = try client.documents(list, database: shard.database)
            #expect(Set(collections.compactMap { $0["name"]?.string }) == ["slot0", "slot1"])
            #expect(collections.allSatisfy { $0["options"]?.document?["capped"]?.isTrue == true })
            try shard.probeStream()
        }
        let indexes = try client.documents(
            BSONWriter.document { $0.append("listIndexes", settings.collections.routes) }, database: settings.database)
        #expect(
            Set(indexes.compactMap { $0["name"]?.string })
                == ["_id_", "_id_hashed", "live.n_1", "due_1", "out.n_1", "x_1"])
    }

    @Test("ND-14: the shard computed here is the shard that the server chose")
    func placement() async throws {
        let settings = try Self.settings(.sharded)
        let topology = try await Self.open(settings)
        let client = try MongoPool(uri: settings.uri).client()
        let keys = (0..<200).map { "example.org/user-\($0)-å" }
        let insert = BSONWriter.document { command in
            command.append("insert", settings.collections.routes)
            command.array("documents") { documents in
                for key in keys { documents.documentElement { $0.append("_id", key) } }
            }
        }
        _ = try client.run(insert, database: settings.database, mode: .write)
        var counts = [0, 0]
        for (index, shard) in topology.bus.shards.enumerated() {
            let streamURI = try #require(shard.streamURI)
            let direct = try MongoPool(uri: streamURI).client()
            let find = BSONWriter.document {
                $0.append("find", settings.collections.routes)
                $0.append("batchSize", Int32(1_000))
            }
            for document in try direct.documents(find, database: settings.database) {
                let key = try #require(document["_id"]?.string)
                #expect(topology.routes.shard(ofHash: HashedKey.hash(key)) == index)
                counts[index] += 1
            }
        }
        #expect(counts[0] + counts[1] == keys.count)
        #expect(!counts.contains(0))
    }

    @Test("ND-10: bus sets of their own; they must be replica sets, and different ones")
    func busSets() async throws {
        var settings = try Self.settings(.sharded)
        settings.busURIs = [try MongoFixture.replicaSet.uri]
        let bus = try await Self.open(settings).bus
        #expect(bus.shards.count == 1)
        #expect(bus.shards[0].streamURI == settings.busURIs[0])
        #expect(!bus.shards[0].isRouted)
        try bus.shards[0].probeStream()

        settings.busURIs = [settings.uri]
        let routers = await #expect(throws: MongoError.self) { try await Self.open(settings) }
        #expect(routers?.code == .refused)
        settings.busURIs = [try MongoFixture.replicaSet.uri, try MongoFixture.replicaSet.uri]
        let twice = await #expect(throws: MongoError.self) { try await Self.open(settings) }
        #expect(twice?.code == .refused)
    }

    @Test("A slot that is not capped, and missing slots, are refused by name", arguments: MongoFixture.allCases)
    func refusals(deployment: MongoFixture) async throws {
        let settings = try Self.settings(deployment)
        let missing = await #expect(throws: MongoError.self) { try await Self.open(settings, makesMissing: false) }
        #expect(missing?.message.contains("init-db") == true)
        let topology = try await Self.open(settings)
        let client = try MongoPool(uri: settings.uri).client()
        let database = topology.bus.shards[0].database
        _ = try client.run(BSONWriter.document { $0.append("drop", "slot1") }, database: database, mode: .writeOnce)
        _ = try client.run(BSONWriter.document { $0.append("create", "slot1") }, database: database, mode: .writeOnce)
        let uncapped = await #expect(throws: MongoError.self) { try await Self.open(settings) }
        #expect(uncapped?.message.contains("\(database).slot1") == true)
    }

    @Test("A stand-alone server and an old one are refused in words")
    func judgement() {
        let standalone = BSONDocument { $0.append("isWritablePrimary", true) }
        let build = { (major: Int32) in
            BSONDocument { document in
                document.array("versionArray") {
                    $0.element(major)
                    $0.element(Int32(0))
                }
            }
        }
        let alone = #expect(throws: MongoError.self) {
            try MongoDeployment.judge(hello: standalone, build: build(7))
        }
        #expect(alone?.message.contains("replica set") == true)
        let router = BSONDocument { $0.append("msg", "isdbgrid") }
        let old = #expect(throws: MongoError.self) { try MongoDeployment.judge(hello: router, build: build(5)) }
        #expect(old?.message.contains("6.0") == true)
    }

    @Test("A shard's name that is no database name is replaced by its hash")
    func names() {
        let settings = MongoSettings(uri: "mongodb://x", database: "d")
        #expect(settings.busDatabase(shard: "shard-1_a") == "d_bus_shard-1_a")
        let odd = settings.busDatabase(shard: "rs.eu/1")
        #expect(odd.hasPrefix("d_bus_") && !odd.contains(".") && !odd.contains("/"))
        #expect(settings.busDatabase(shard: String(repeating: "s", count: 60)).utf8.count <= 63)
    }
}
