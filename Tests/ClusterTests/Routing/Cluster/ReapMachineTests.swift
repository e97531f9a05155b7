import Routing
import Testing

@Suite("Reaping") struct ReapMachineTests {
    private static let dead = NodeID(high: 1, low: 0)
    private static let keys = (0..<3).map { RouteKey(domain: "localhost", user: "user\($0)") }
    private static func at(_ seconds: Int64) -> Int64 { Nanoseconds.seconds(seconds) }

    @Test("ND-4: scan, remove, page by page, then the tombstone; scans again 10 s, 1 min, 10 min and 55 min later")
    func life() {
        var machine = ReapMachine(options: ReapOptions(page: 2))
        machine.add(Self.dead, claim: 1, at: 0)
        #expect(machine.due(at: 0) == [.scan(Self.dead)])
        let page = Array(Self.keys.prefix(2))
        #expect(machine.scanned(Self.dead, keys: page, at: 0) == .remove(Self.dead, page))
        machine.removed(Self.dead, isDone: true, at: 0)
        #expect(machine.due(at: 0) == [.scan(Self.dead)])
        #expect(machine.scanned(Self.dead, keys: [Self.keys[2]], at: 0) == .remove(Self.dead, [Self.keys[2]]))
        machine.removed(Self.dead, isDone: true, at: 0)
        #expect(machine.due(at: 0) == [.tombstone(Self.dead)])
        machine.tombstoned(Self.dead, isDone: true, at: 0)
        for time: Int64 in [10, 60, 600, 3_300] {
            #expect(machine.nextDue == Self.at(time))
            #expect(machine.due(at: Self.at(time)) == [.scan(Self.dead)])
            #expect(machine.scanned(Self.dead, keys: [], at: Self.at(time)) == nil)
        }
        #expect(machine.nodes == [] && machine.nextDue == nil)
    }

    @Test("ND-4: the claim is renewed every 2 s while the work goes on, and the work stops when it is lost")
    func claim() {
        var machine = ReapMachine()
        machine.add(Self.dead, claim: 1, at: 0)
        _ = machine.due(at: 0)
        _ = machine.scanned(Self.dead, keys: Self.keys, at: 0)
        #expect(machine.due(at: Self.at(2)) == [.renewClaim(Self.dead, claimBeat: 2)])
        machine.claimRenewed(Self.dead, isHeld: nil)
        #expect(machine.due(at: Self.at(4)) == [.renewClaim(Self.dead, claimBeat: 3)])
        machine.claimRenewed(Self.dead, isHeld: false)
        #expect(machine.nodes == [])
        machine.removed(Self.dead, isDone: true, at: Self.at(4))
        #expect(machine.due(at: Self.at(60)) == [])
    }

    @Test("ND-4: failures are repeated; the tombstone only stands for a whole pass")
    func failures() {
        var machine = ReapMachine()
        machine.add(Self.dead, claim: 1, at: 0)
        _ = machine.due(at: 0)
        #expect(machine.scanned(Self.dead, keys: nil, at: 0) == nil)
        #expect(machine.due(at: Self.at(1)) == [.scan(Self.dead)])
        _ = machine.scanned(Self.dead, keys: Self.keys, at: Self.at(1))
        machine.removed(Self.dead, isDone: false, at: Self.at(1))
        #expect(machine.due(at: Self.at(2)).contains(.scan(Self.dead)))
        _ = machine.scanned(Self.dead, keys: [], at: Self.at(2))
        #expect(machine.due(at: Self.at(2)) == [.tombstone(Self.dead)])
        machine.tombstoned(Self.dead, isDone: false, at: Self.at(2))
        #expect(machine.due(at: Self.at(3)) == [.tombstone(Self.dead)])
    }

    @Test("ND-4: an adopted tombstone is scanned at once, and later as ever; no claim is renewed")
    func adopted() {
        var machine = ReapMachine()
        machine.add(Self.dead, claim: nil, at: 0)
        #expect(machine.due(at: 0) == [.scan(Self.dead)])
        #expect(machine.scanned(Self.dead, keys: [], at: 0) == nil)
        #expect(machine.nextDue == Self.at(10))
        #expect(machine.due(at: Self.at(9)) == [])
    }
}
