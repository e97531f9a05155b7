import Routing
import Testing
import Wire

@Suite("Sharing the lanes of the outbox") struct PostingLanesTests {
    private static func id(_ number: UInt64) -> NodeID { NodeID(high: number << 40, low: 1) }

    private func free() -> [PostingLaneRecord] {
        (0..<PostingLaneRecord.count).map {
            PostingLaneRecord(lane: $0, stream: RecoveryStream(sender: UInt64($0 + 1), kind: .identity))
        }
    }

    /// Every node looks and changes in turn, and gives up what is asked for at once.
    private func settle(_ lanes: inout [PostingLaneRecord], _ nodes: [NodeID]) {
        for _ in 0..<8 {
            for node in nodes {
                for lane in lanes.indices where lanes[lane].holder == node {
                    if let asker = lanes[lane].asker, nodes.contains(asker) { lanes[lane].holder = nil }
                }
                for change in PostingLanes.changes(lanes, own: node, live: Set(nodes)) {
                    switch change {
                    case .take(let record):
                        lanes[record.lane] = PostingLaneRecord(
                            lane: record.lane, stream: record.stream, holder: node, generation: record.generation + 1)
                    case .ask(let record): lanes[record.lane].asker = node
                    case .give(let record): lanes[record.lane].holder = nil
                    }
                }
            }
        }
    }

    private func counts(_ lanes: [PostingLaneRecord], _ nodes: [NodeID]) -> [Int] {
        nodes.map { node in lanes.count { $0.holder == node } }
    }

    @Test(
        "One node has all, nodes that come get their share, and those of the dead go to the others", arguments: 1...20)
    func shares(count: Int) {
        var lanes = self.free()
        let all = (1...count).map { Self.id(UInt64($0)) }
        self.settle(&lanes, [all[0]])
        #expect(self.counts(lanes, [all[0]]) == [PostingLaneRecord.count])
        self.settle(&lanes, all)
        let shares = self.counts(lanes, all)
        #expect(shares.reduce(0, +) == PostingLaneRecord.count)
        #expect((shares.max() ?? 0) - (shares.min() ?? 0) <= 1, "\(shares)")
        guard count > 1 else { return }
        let left = Array(all.dropFirst())
        self.settle(&lanes, left)
        #expect(self.counts(lanes, left).reduce(0, +) == PostingLaneRecord.count)
        // What is shared stays: no lane goes to and fro.
        let settled = lanes
        self.settle(&lanes, left)
        #expect(lanes == settled)
    }

    @Test("A lane that was given up for somebody is left to that one while it lives")
    func asked() {
        var lanes = self.free()
        let (first, second) = (Self.id(1), Self.id(2))
        for lane in lanes.indices { lanes[lane].holder = lane == 0 ? nil : first }
        lanes[0].asker = second
        #expect(!PostingLanes.changes(lanes, own: first, live: [first, second]).contains(.take(lanes[0])))
        #expect(PostingLanes.changes(lanes, own: first, live: [first]).contains(.take(lanes[0])))
        #expect(PostingLanes.changes(lanes, own: second, live: [first, second]).contains(.take(lanes[0])))
    }

    @Test("Users belong to lanes evenly, whatever the sign of their hash")
    func lanes() {
        #expect(PostingLaneRecord.lane(ofHash: -1) == 15)
        #expect(PostingLaneRecord.lane(ofHash: .min) == 0)
        #expect(PostingLaneRecord.lane(ofHash: 17) == 1)
    }
}
