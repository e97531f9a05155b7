import Routing
import Testing

/// What a node can take, as others hear of it (SPEC ND-12), with the production drivers on one clock of their own.
@Suite("Early renewals (ND-12)", .timeLimit(.minutes(1))) struct EarlyRenewalTests {
    @Test("What is half or twice as much is told before the next renewal is due", arguments: 1...UInt64(5))
    func news(seed: UInt64) async throws {
        let cluster = RoutingTestCluster(seed: seed)
        let node = cluster.start()
        for round in 0..<8 {
            let intake = round.isMultiple(of: 2) ? 500 : 100
            node.incarnation.membership.report(intake: intake)
            cluster.world.run(for: Nanoseconds.milliseconds(1_500))
            #expect(try await cluster.registry.find(node.id)?.intake == intake, "round \(round)")
        }
    }

    @Test("What is about the same costs no write", arguments: 1...UInt64(5))
    func noNews(seed: UInt64) async throws {
        let cluster = RoutingTestCluster(seed: seed)
        let node = cluster.start()
        node.incarnation.membership.report(intake: 500)
        cluster.world.run(for: Nanoseconds.seconds(4))
        let before = try #require(try await cluster.registry.find(node.id))
        for round in 0..<20 {
            node.incarnation.membership.report(intake: round.isMultiple(of: 2) ? 300 : 500)
            cluster.world.run(for: Nanoseconds.seconds(1))
        }
        let after = try #require(try await cluster.registry.find(node.id))
        #expect((9...10).contains(after.beat - before.beat))
    }
}
