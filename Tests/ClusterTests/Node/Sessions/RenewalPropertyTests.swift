import Routing
import Testing

@testable import Node

@Suite("ID-9: renewal under every interleaving")
struct RenewalPropertyTests {
    @Test(
        "ID-9, ID-13: one successor for all renewers; after a logout no token of the chain that anybody holds is good",
        arguments: 0..<20)
    func interleavings(block: Int) throws {
        var outcomes: [String: Int] = [:]
        for seed in UInt64(block) * 100..<UInt64(block + 1) * 100 {
            let keys = try SigningKeys([[UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32)])
            var simulation = RenewalSimulation(seed: seed, keys: keys)
            let last = Int(seed % 3)
            for generation in 0...last { simulation.run(renewers: 6, logsOut: generation == last && seed % 5 > 0) }
            for (_, successors) in simulation.successors {
                #expect(successors.count == 1, "seed \(seed): several successors of one session")
            }
            if simulation.isLoggedOut {
                let valid = Set(simulation.records.values.filter(\.isValid).map(\.hash))
                #expect(valid.isDisjoint(with: simulation.told.keys), "seed \(seed): a token survived the logout")
                // Whoever dies between inserting a successor and looking at the old record may leave a record that is valid;
                // its secret never left that process, and whoever derives it again finds the old record invalid.
                #expect(valid.isSubset(of: simulation.orphans), "seed \(seed): a record survived the logout")
            }
            outcomes.merge(simulation.outcomes) { $0 + $1 }
        }
        #expect(outcomes["renewed", default: 0] > 0 && outcomes["stale", default: 0] > 0, "\(outcomes)")
        #expect(outcomes["underivable"] == nil)
    }
}
