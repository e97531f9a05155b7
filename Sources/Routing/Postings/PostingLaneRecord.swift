package import Wire

/// The lease of one lane: whoever holds it sends what the outbox has for a part of the users.
package struct PostingLaneRecord: Sendable, Equatable {
    /// Lanes of an outbox: as many nodes can share the work. Fixed, as a user belongs to one.
    package static let count = 16

    /// From 0.
    package let lane: Int
    /// Numbers of postings belong to it: random, so that those of lanes that were made anew are others.
    package let stream: RecoveryStream
    /// nil: free.
    package var holder: NodeID?
    /// Rises with every new holder.
    package var generation: Int64
    /// A node with fewer lanes, that asks for this one.
    package var asker: NodeID?

    package init(
        lane: Int, stream: RecoveryStream, holder: NodeID? = nil, generation: Int64 = 0, asker: NodeID? = nil
    ) {
        self.lane = lane
        self.stream = stream
        self.holder = holder
        self.generation = generation
        self.asker = asker
    }

    /// The lane of a user, from the hash of its name as MongoDB makes it.
    package static func lane(ofHash hash: Int64) -> Int {
        let rest = hash % Int64(self.count)
        return Int(rest < 0 ? rest + Int64(self.count) : rest)
    }
}
