import Logging
import Routing
import Testing

@testable import Backplane

/// What the stores do while one of two shards hangs. In the suite of the bus's faults, as it is their cluster that suffers.
extension MongoBusFaultTests {
    @Test("ND-2, ND-14: a shard that hangs stalls its own users only, and leaves the directory incomplete, not empty")
    func hungShardOfStores() async throws {
        let faults = try BusFaultCluster.sharded.get()
        var settings = MongoSettings(uri: faults.uri, database: MongoFixture.database())
        settings.slots = 1
        settings.slotSize = 1 << 20
        let cluster = try await MongoCluster.open(
            settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let routes = cluster.routes
        let keys = (0..<100).map { RouteKey(domain: "example.org", user: "u\($0)") }
        let healthy = try #require(keys.first { routes.shard(of: $0) == 0 })
        let stalled = try #require(keys.first { routes.shard(of: $0) == 1 })
        let nodes = (0..<32).map { _ in NodeID.random() }
        for id in nodes {
            try await cluster.nodes.register(NodeRecord(id: id, name: nil, address: nil, started: 0, homes: []))
        }
        #expect(try await cluster.nodes.list().records.count == nodes.count)

        try await faults.fault("pause-shard", "2")
        let failure = await #expect(throws: StoreError.self) {
            try await routes.write([Self.first(stalled)], shard: 1)
        }
        #expect(failure?.code == .unknownOutcome)
        #expect(try await routes.write([Self.first(healthy)], shard: 0) == [.committed])
        #expect(try await routes.read([healthy], shard: 0)[healthy]?.version == 1)
        for _ in 1...2 {
            let partial = try await cluster.nodes.list()
            #expect(!partial.isComplete)
            #expect((1..<nodes.count).contains(partial.records.count))
        }

        try await faults.fault("resume-shard", "2")
        await cluster.shutdown()
    }

    private static func first(_ key: RouteKey) -> RouteWrite {
        let old = RouteDocument(key: key)
        var new = old
        new.version = 1
        return RouteWrite(old: old, new: new)
    }
}
