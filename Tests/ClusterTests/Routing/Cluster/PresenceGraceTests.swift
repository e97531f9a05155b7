import Routing
import Testing

/// Graces over several nodes (SPEC LC-8), with the production drivers on one clock of their own.
@Suite("Presence grace (LC-8)", .timeLimit(.minutes(1))) struct PresenceGraceTests {
    private static let second = Nanoseconds.seconds(1)
    private let alice = RouteKey(domain: "localhost", user: "alice")

    @Test("A reload on another node announces nothing", arguments: 1...UInt64(10))
    func reload(seed: UInt64) async throws {
        let cluster = RoutingTestCluster(seed: seed)
        let (a, b) = (cluster.start(), cluster.start())
        let old = a.connect(self.alice)
        cluster.world.run(for: Self.second)
        a.disconnect(old, self.alice, grace: 5_000)
        cluster.world.run(for: Self.second)
        b.connect(self.alice)
        cluster.world.run(for: 30 * Self.second)
        #expect(cluster.kinds(of: self.alice) == [.userOnline, .clientOnline])
        #expect(try await cluster.stored(self.alice)?.due == nil)
        #expect(a.incarnation.keptGraces == 0)
    }

    @Test("A departure is announced once, at its deadline, by the node that stored it", arguments: 1...UInt64(10))
    func departure(seed: UInt64) {
        let cluster = RoutingTestCluster(seed: seed)
        let (a, b) = (cluster.start(), cluster.start())
        let old = a.connect(self.alice)
        cluster.world.run(for: Self.second)
        a.disconnect(old, self.alice, grace: 5_000)
        let moment = cluster.world.now
        cluster.world.run(for: 30 * Self.second)
        let later = cluster.emissions.dropFirst(2)
        #expect(later.map(\.transition.kind) == [.clientOffline, .userOffline])
        for emission in later {
            #expect(emission.node == a.id && b.end == nil)
            #expect((5_000...6_000).contains((emission.time - moment) / 1_000_000))
        }
    }

    @Test("The node that stored the deadline dies: another one takes over, once", arguments: 1...UInt64(10))
    func takeover(seed: UInt64) async throws {
        let cluster = RoutingTestCluster(seed: seed)
        let (a, b, c) = (cluster.start(), cluster.start(), cluster.start())
        let old = a.connect(self.alice)
        cluster.world.run(for: Self.second)
        a.disconnect(old, self.alice, grace: 5_000)
        cluster.world.run(for: Self.second)
        let moment = cluster.world.now
        a.crash()
        cluster.world.run(for: 60 * Self.second)
        let later = cluster.emissions.dropFirst(2)
        #expect(later.map(\.transition.kind) == [.clientOffline, .userOffline])
        let sequences = cluster.emissions.map(\.transition.sequence)
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $1 == $0 + 1 })
        for emission in later {
            #expect(emission.node == b.id || emission.node == c.id)
            // 4 s are left of the grace, 3 s overdue; two of three nodes are left, each of which may take 4.5 s.
            #expect((6_900...12_500).contains((emission.time - moment) / 1_000_000))
        }
        #expect(try await cluster.stored(self.alice)?.outbox == [])
    }

    @Test("A drain with clients that come back elsewhere announces nothing; who stays away is announced by the others")
    func drain() async throws {
        let bob = RouteKey(domain: "localhost", user: "bob")
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(), cluster.start())
        let sockets = [a.connect(self.alice), a.connect(bob)]
        cluster.world.run(for: Self.second)
        a.disconnect(sockets[0], self.alice, grace: 20_000)
        a.disconnect(sockets[1], bob, grace: 20_000)
        a.drain()
        #expect(try await cluster.routes.keys(of: a.id, limit: 10) == [])
        #expect(try await cluster.registry.find(a.id)?.state == .gone)
        cluster.world.run(for: 5 * Self.second)
        b.connect(self.alice)
        cluster.world.run(for: 60 * Self.second)
        #expect(cluster.kinds(of: self.alice) == [.userOnline, .clientOnline])
        #expect(cluster.kinds(of: bob) == [.userOnline, .clientOnline, .clientOffline, .userOffline])
        #expect(cluster.emissions.last?.node == b.id)
    }

    @Test("A node that is alone for good ends its graces when it drains")
    func alone() {
        let cluster = RoutingTestCluster()
        let a = cluster.start()
        let socket = a.connect(self.alice)
        cluster.world.run(for: Self.second)
        a.disconnect(socket, self.alice, grace: 600_000)
        a.drain(isAlone: true)
        #expect(cluster.kinds(of: self.alice) == [.userOnline, .clientOnline, .clientOffline, .userOffline])
    }

    @Test("MongoDB is out while deadlines pass: none is lost", arguments: [Int64(2), 6, 12])
    func outage(length: Int64) async throws {
        let cluster = RoutingTestCluster()
        let (a, b) = (cluster.start(), cluster.start())
        let keys = (0..<20).map { RouteKey(domain: "localhost", user: "user\($0)") }
        let sockets = keys.map { a.connect($0) }
        cluster.world.run(for: Self.second)
        for (socket, key) in zip(sockets, keys) { a.disconnect(socket, key, grace: 5_000) }
        cluster.world.run(for: 4 * Self.second)
        cluster.setOutage(for: length * Self.second)
        cluster.world.run(for: 60 * Self.second)
        for key in keys {
            #expect(cluster.kinds(of: key) == [.userOnline, .clientOnline, .clientOffline, .userOffline])
        }
        #expect(a.end == nil && b.end == nil)
        #expect(try await cluster.routes.keys(dueBefore: .max, limit: 10) == [])
    }

    @Test("What a node has no room to keep is finished all the same")
    func full() {
        let cluster = RoutingTestCluster()
        let a = cluster.start(graces: GraceOptions(kept: 3, page: 4))
        let keys = (0..<20).map { RouteKey(domain: "localhost", user: "user\($0)") }
        let sockets = keys.map { a.connect($0) }
        cluster.world.run(for: Self.second)
        for (socket, key) in zip(sockets, keys) { a.disconnect(socket, key, grace: 5_000) }
        cluster.world.run(for: Self.second)
        #expect(a.incarnation.keptGraces == 3)
        cluster.world.run(for: 12 * Self.second)
        for key in keys {
            #expect(cluster.kinds(of: key) == [.userOnline, .clientOnline, .clientOffline, .userOffline])
        }
    }
}
