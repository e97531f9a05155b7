package import Routing

/// Where a node lives on the bus, and which of a target's homes a sender uses (SPEC ND-6).
package enum HomeChoice {
    /// Two homes on different shards, one where there is one: the emptiest by the nodes that are known, spread by the
    /// node's own ID where several are. Nodes that start at once may meet in a slot; that costs speed only.
    /// - Parameter others: the directory; nodes that are gone do not count.
    package static func homes(for node: NodeID, topology: BusTopology, others: [NodeRecord]) -> [NodeRecord.Home] {
        var load: [NodeRecord.Home: Int] = [:]
        var shardLoad: [String: Int] = [:]
        for other in others where other.state < .claimed && other.id != node {
            for home in other.homes {
                load[home, default: 0] += 1
                shardLoad[home.shard, default: 0] += 1
            }
        }
        let seed = self.digest(node.text)
        let usable = topology.shards.filter { $0.slots > 0 }
        let ranked = usable.enumerated().sorted { left, right in
            let loads = (shardLoad[left.element.name] ?? 0, shardLoad[right.element.name] ?? 0)
            if loads.0 != loads.1 { return loads.0 < loads.1 }
            return self.rotated(left.offset, by: seed, of: usable.count)
                < self.rotated(right.offset, by: seed, of: usable.count)
        }
        return ranked.prefix(2).map { place in
            let slots = place.element.slots
            let slot = (0..<slots).min { left, right in
                let loads = (
                    load[.init(shard: place.element.name, slot: left)] ?? 0,
                    load[.init(shard: place.element.name, slot: right)] ?? 0
                )
                if loads.0 != loads.1 { return loads.0 < loads.1 }
                return self.rotated(left, by: seed >> 8, of: slots) < self.rotated(right, by: seed >> 8, of: slots)
            }
            return NodeRecord.Home(shard: place.element.name, slot: slot ?? 0)
        }
    }

    /// Position of the home that this sender uses for the target as long as both take writes: the same all the time, as
    /// changing costs the receiver a wait, and different among senders, so that both homes share the load.
    package static func preferredHome(from sender: NodeID, to target: NodeID, homes: Int) -> Int {
        homes < 2 ? 0 : Int((self.digest(sender.text) ^ self.digest(target.text)) >> 16 % UInt64(homes))
    }

    private static func rotated(_ index: Int, by seed: UInt64, of count: Int) -> Int {
        (index + Int(seed % UInt64(count))) % count
    }

    /// FNV-1a: the same in every process, unlike `Hasher`.
    private static func digest(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

extension BusTopology.Shard {
    /// False for a slot that another node's record names and this node's topology does not have.
    func hasSlot(_ slot: Int) -> Bool { (0..<self.slots).contains(slot) }
}
