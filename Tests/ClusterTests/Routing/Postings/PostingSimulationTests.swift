import Routing
import Testing

/// The promises of docs/outbox.md, for nodes that are killed and stopped at any moment.
@Suite("Outbox simulation") struct PostingSimulationTests {
    @Test("Every committed document arrives once, and those of a user in order", arguments: UInt64(1)...12)
    func once(seed: UInt64) {
        let world = PostingWorld(seed: seed)
        #expect(world.run(), "everything is done in the end")
        self.check(world, isOrdered: true)
    }

    @Test(
        "Writes that land long after a lane was taken over, and a slow bus, make nothing arrive twice or never",
        arguments: UInt64(1)...12)
    func lateWrites(seed: UInt64) {
        var settings = PostingWorld.Settings()
        settings.latestLanding = 40_000
        settings.slowestBus = 15_000
        let world = PostingWorld(seed: seed, settings)
        #expect(world.run(), "everything is done in the end")
        self.check(world, isOrdered: false)
    }

    @Test("The simulation has what it is for: nodes die, documents are taken over, sent again, found as strays")
    func hasFaults() {
        var (kills, adopted, repeats, strays) = (0, 0, 0, 0)
        for seed in UInt64(1)...6 {
            var settings = PostingWorld.Settings()
            settings.latestLanding = 40_000
            let world = PostingWorld(seed: seed, settings)
            #expect(world.run())
            world.finish()
            kills += world.kills
            adopted += world.adopted
            repeats += world.repeats
            strays += world.strays
        }
        #expect(kills > 0 && adopted > 0 && repeats > 0 && strays > 0, "\(kills) \(adopted) \(repeats) \(strays)")
    }

    private func check(_ world: PostingWorld, isOrdered: Bool) {
        for (number, document) in world.documents {
            let times = world.given[document.user, default: []].count { $0 == number }
            #expect(times == (document.isMalformed ? 0 : 1), "document \(number)")
            switch document.end {
            case .delivered: #expect(!document.isMalformed)
            case .refused: #expect(document.isMalformed)
            case nil: Issue.record("document \(number) is not done")
            }
        }
        guard isOrdered else { return }
        for (user, numbers) in world.given { #expect(numbers == numbers.sorted(), "user \(user)") }
    }
}
