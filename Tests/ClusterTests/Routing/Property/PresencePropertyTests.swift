import Foundation
import Routing
import Testing

/// SPEC §11, invariants 1 to 4, over random histories of connects, disconnects, reloads, kicks, requests for Links, crashes,
/// pauses, drains and outages, checked after every step. `SUBMERGENCE_SEED=seed` runs one history again and prints it; `SUBMERGENCE_SEEDS=count`
/// runs as many as you have time for.
@Suite("Presence and Links under faults (SPEC §11.1 to §11.4)")
struct PresencePropertyTests {
    /// Seeds per test case: enough to be worth a core, few enough to name the culprit quickly.
    static let batch: UInt64 = 40

    private static let environment = ProcessInfo.processInfo.environment
    private static let wanted = Self.environment["SUBMERGENCE_SEED"].flatMap { UInt64($0) }
    private static let count = Self.environment["SUBMERGENCE_SEEDS"].flatMap { UInt64($0) }

    @Test("Announced presence alternates and ends true, whatever fails", arguments: 0..<UInt64(8))
    func alternates(part: UInt64) {
        for seed in part * Self.batch..<(part + 1) * Self.batch {
            guard Self.check(seed) else { return }
        }
    }

    @Test("SOCKETIO §14.3: a private ID binds one socket and no SID is twice, whatever fails", arguments: 0..<UInt64(8))
    func recovers(part: UInt64) {
        for seed in part * Self.batch..<(part + 1) * Self.batch {
            guard Self.check(seed, recovers: true) else { return }
        }
    }

    @Test(
        "LK-15, §11.3, §11.4: Links end with their parties, and everybody is told, whatever fails",
        arguments: 0..<UInt64(8))
    func links(part: UInt64) {
        for seed in part * Self.batch..<(part + 1) * Self.batch {
            guard Self.check(seed, recovers: seed % 3 == 0, links: true) else { return }
        }
    }

    /// Seeds that once failed.
    @Test("Named seeds stay good", arguments: [1_114, 3_991] as [UInt64])
    func named(seed: UInt64) { #expect(Self.check(seed)) }

    @Test(
        "One seed again, with its history", .enabled(if: Self.wanted != nil), arguments: [false, true], [false, true])
    func again(recovers: Bool, links: Bool) throws {
        let simulation = RoutingSimulation(
            seed: try #require(Self.wanted), recovers: recovers, links: links, isTraced: true)
        simulation.run()
        print((simulation.history + simulation.violations()).joined(separator: "\n"))
        #expect(simulation.violations() == [])
    }

    @Test("As many seeds as were asked for", .enabled(if: Self.count != nil))
    func many() throws {
        let (count, clock) = (try #require(Self.count), ContinuousClock())
        let start = clock.now
        for seed in 1_000_000..<1_000_000 + count {
            guard Self.check(seed), Self.check(seed, recovers: true),
                Self.check(seed, recovers: seed % 3 == 0, links: true)
            else { return }
        }
        print("\(3 * count) histories in \(clock.now - start)")
    }

    private static func check(_ seed: UInt64, recovers: Bool = false, links: Bool = false) -> Bool {
        let simulation = RoutingSimulation(seed: seed, recovers: recovers, links: links)
        simulation.run()
        guard !simulation.violations().isEmpty else { return true }
        // Once more, this time with a history to read.
        let replay = RoutingSimulation(seed: seed, recovers: recovers, links: links, isTraced: true)
        replay.run()
        let text = (replay.history + replay.violations()).joined(separator: "\n")
        Issue.record(
            """
            seed \(seed), recovers \(recovers), links \(links); again: SUBMERGENCE_SEED=\(seed) swift test --filter PresencePropertyTests
            \(text)
            """)
        return false
    }
}
