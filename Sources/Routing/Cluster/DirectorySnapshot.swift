/// The directory at one moment (SPEC ND-2). A value that is shared by reference: copying it costs nothing.
package struct DirectorySnapshot: Sendable, Equatable {
    package var records: [NodeID: NodeRecord] = [:]
    /// Claimed or gone: their connections do not count (ND-4, EV-6).
    package var claimed: Set<NodeID> = []

    package init() {}

    mutating func put(_ record: NodeRecord) {
        self.records[record.id] = record
        if record.state >= .claimed { self.claimed.insert(record.id) }
    }

    mutating func remove(_ id: NodeID) {
        self.records[id] = nil
        self.claimed.remove(id)
    }
}
