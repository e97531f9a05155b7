/// Shares the lanes among the nodes that serve the outbox: a pure function of what each of them reads.
package enum PostingLanes {
    /// - Parameters:
    ///   - live: nodes that are not held to be dead, `own` among them.
    /// - Returns: what `own` should try. A lane that it holds and another one asks for is not here: giving that up takes time.
    package static func changes(
        _ lanes: [PostingLaneRecord], own: NodeID, live: Set<NodeID>
    ) -> [PostingLaneChange] {
        let holders = lanes.compactMap(\.holder).filter(live.contains)
        let askers = lanes.compactMap(\.asker).filter(live.contains)
        let sharers = Set(holders).union(askers).union([own])
        let most = (lanes.count + sharers.count - 1) / sharers.count
        let least = lanes.count / sharers.count
        // Each begins elsewhere, so that nodes that start together seldom want the same.
        let start = Int(own.leading48 % UInt64(max(lanes.count, 1)))
        let order = lanes.indices.map { lanes[($0 + start) % lanes.count] }

        var mine = holders.count { $0 == own }
        var changes: [PostingLaneChange] = []
        for record in order where mine < most && !record.isHeld(by: live) {
            // Given up for somebody who is alive and has still too few: theirs.
            if let asker = record.asker, asker != own, live.contains(asker),
                holders.count(where: { $0 == asker }) < least
            {
                continue
            }
            changes.append(.take(record))
            mine += 1
        }
        var coming = mine + lanes.count { $0.asker == own && $0.isHeld(by: live) && $0.holder != own }
        guard coming < least else { return changes }
        var counts = Dictionary(holders.map { ($0, 1) }, uniquingKeysWith: +)
        for record in order where coming < least {
            guard let holder = record.holder, holder != own, live.contains(holder),
                record.asker.map({ !live.contains($0) }) ?? true, counts[holder, default: 0] > coming + 1
            else { continue }
            changes.append(.ask(record))
            counts[holder, default: 0] -= 1
            coming += 1
        }
        return changes
    }
}

extension PostingLaneRecord {
    fileprivate func isHeld(by live: Set<NodeID>) -> Bool { self.holder.map(live.contains) ?? false }
}
