import Routing
import Testing

@Suite("Deadlines that a node keeps, and those that it sweeps up (LC-8)") struct GraceKeeperTests {
    private static let second = Nanoseconds.seconds(1)

    private func key(_ user: String) -> RouteKey { RouteKey(domain: "d", user: user) }

    @Test("A route is taken once, at its deadline and never before, and kept until it is settled")
    func takes() {
        var keeper = GraceKeeper()
        #expect(keeper.note(self.key("a"), due: 5_001, isNew: true) == true)
        #expect(keeper.note(self.key("b"), due: 9_000, isNew: true) == true)
        #expect(keeper.nextDue == 5_100)
        #expect(keeper.take(at: 5_001) == [])
        #expect(keeper.take(at: 5_100) == [self.key("a")])
        #expect(keeper.take(at: 5_200) == [])
        #expect(keeper.count == 2 && keeper.nextDue == 9_000)
        keeper.settled(self.key("a"), due: nil)
        #expect(keeper.count == 1)
    }

    @Test("What a commit of this node says later replaces the deadline; a route of others is not kept")
    func notes() {
        var keeper = GraceKeeper()
        #expect(keeper.note(self.key("foreign"), due: 1_000, isNew: false) == true)
        #expect(keeper.count == 0)
        #expect(keeper.note(self.key("a"), due: 1_000, isNew: true) == true)
        #expect(keeper.note(self.key("a"), due: 2_000, isNew: false) == true)
        #expect(keeper.take(at: 1_999) == [])
        #expect(keeper.note(self.key("a"), due: nil, isNew: false) == true)
        #expect(keeper.count == 0 && keeper.nextDue == nil)
    }

    @Test("A settling that finds another deadline, as the clock was set back or another client waits, keeps that one")
    func settlesLater() {
        var keeper = GraceKeeper()
        #expect(keeper.note(self.key("a"), due: 1_000, isNew: true) == true)
        #expect(keeper.take(at: 1_000) == [self.key("a")])
        // Commits ahead of the settling do not bring the route into two places.
        #expect(keeper.note(self.key("a"), due: 3_000, isNew: true) == true)
        #expect(keeper.nextDue == nil)
        keeper.settled(self.key("a"), due: 4_000)
        #expect(keeper.nextDue == 4_000 && keeper.count == 1)
    }

    @Test("It is bounded: what does not fit is refused, what is there goes on")
    func bounded() {
        var keeper = GraceKeeper(options: GraceOptions(kept: 2))
        #expect(keeper.note(self.key("a"), due: 1_000, isNew: true) == true)
        #expect(keeper.note(self.key("b"), due: 1_000, isNew: true) == true)
        #expect(keeper.note(self.key("c"), due: 1_000, isNew: true) == false)
        #expect(keeper.note(self.key("b"), due: 2_000, isNew: true) == true)
        #expect(keeper.take(at: 2_000) == [self.key("a"), self.key("b")])
        keeper.settled(self.key("a"), due: nil)
        #expect(keeper.note(self.key("c"), due: 1_000, isNew: true) == true)
        #expect(keeper.removeAll() == [self.key("b"), self.key("c")])
        #expect(keeper.count == 0)
    }

    @Test("All nodes together sweep about once a second", arguments: [1, 3, 8])
    func pace(nodes: Int) {
        var sweeps = (0..<nodes).map { GraceSweep(seed: UInt64($0)) }
        var count = 0
        for tick in 0..<Int64(6_000) {
            for index in sweeps.indices where sweeps[index].due(at: tick * Self.second / 10, nodes: nodes) {
                count += 1
                #expect(sweeps[index].found([], limit: 1_000) == [])
            }
        }
        #expect((480...720).contains(count), "\(count) in ten minutes")
    }

    @Test("A full page is followed by the next one; what cannot be settled holds up nothing, and is asked for once")
    func pages() {
        var sweep = GraceSweep(options: GraceOptions(page: 2), seed: 1)
        #expect(sweep.due(at: 0, nodes: 1) == false)
        #expect(sweep.due(at: 2 * Self.second, nodes: 1) == true)
        #expect(sweep.due(at: 9 * Self.second, nodes: 1) == false, "one question at a time")
        #expect(sweep.found([self.key("a"), self.key("b")], limit: 2) == [self.key("a"), self.key("b")])
        #expect(sweep.room == 0 && sweep.nextDue == nil)
        #expect(sweep.due(at: 9 * Self.second, nodes: 1) == false)
        sweep.settled(self.key("a"), at: 10 * Self.second)
        #expect(sweep.nextDue == 10 * Self.second)
        #expect(sweep.due(at: 10 * Self.second, nodes: 1) == true)
        #expect(sweep.found([self.key("b")], limit: 1) == [])
        // Nothing new: no reason to hurry.
        #expect(sweep.nextDue.map { $0 > 10 * Self.second } == true)
        #expect(sweep.due(at: 12 * Self.second, nodes: 1) == true)
        #expect(sweep.found(nil, limit: 1) == [])
    }
}
