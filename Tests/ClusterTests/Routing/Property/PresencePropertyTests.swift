import Routing
import Testing

/// SPEC §11, invariants 1 and 2, over random histories of connects, disconnects, crashes, pauses, drains and outages.
@Suite("Presence under faults (SPEC §11.1, §11.2)")
struct PresencePropertyTests {
    /// Seeds per test case: enough to be worth a core, few enough to name the culprit quickly.
    static let batch: UInt64 = 40

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

    /// Seeds that once failed.
    @Test("Named seeds stay good", arguments: [1_114, 3_991] as [UInt64])
    func named(seed: UInt64) { #expect(Self.check(seed)) }

    private static func check(_ seed: UInt64, recovers: Bool = false) -> Bool {
        let simulation = RoutingSimulation(seed: seed, recovers: recovers)
        simulation.run()
        guard !simulation.violations().isEmpty else { return true }
        // Once more, this time with a history to read.
        let replay = RoutingSimulation(seed: seed, recovers: recovers, isTraced: true)
        replay.run()
        let text = replay.history.joined(separator: "\n") + "\n" + replay.violations().joined(separator: "\n")
        Issue.record("seed \(seed), recovers \(recovers):\n\(text)")
        return false
    }
}
