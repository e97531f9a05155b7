/// The records of all nodes (SPEC ND-2 to ND-5). Writes are majority; reads are from the primaries.
package protocol NodeRegistry: Sendable {
    /// Inserts the record, or replaces a half-written one of the same ID.
    func register(_ record: NodeRecord) async throws(StoreError)

    /// Raises the beat of an own record that nobody claimed, and says how many connects a second the node can take (ND-12).
    /// Runs on a connection of its own (ND-14: 1.5 s).
    func renew(_ id: NodeID, beat: Int64, intake: Int?) async throws(StoreError) -> Renewal

    /// All records but tombstones older than an hour, per shard; a part that can't be read is named, not left out silently.
    func list() async throws(StoreError) -> DirectoryReading

    /// One record, from the primary (ND-2: a node ID met in a route but missing in the directory is read at once).
    func find(_ id: NodeID) async throws(StoreError) -> NodeRecord?

    /// Writes a suspicion into the record if it still has that beat (ND-4). Proves that the registry is writable.
    /// - Returns: false when the beat has moved on or the record is gone.
    func suspect(_ id: NodeID, beat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool

    /// One atomic update: the record is claimed if beat and earlier claim are still as given (ND-4).
    func claim(_ id: NodeID, expecting record: NodeRecord, by reaper: NodeID) async throws(StoreError) -> Bool

    /// Keeps an own claim alive. - Returns: false when it was taken over.
    func renewClaim(_ id: NodeID, claimBeat: Int64, by reaper: NodeID) async throws(StoreError) -> Bool

    /// Moves the state forward (`draining`, `superseded`, `gone`); `gone` makes a tombstone that expires after an hour.
    func advance(_ id: NodeID, to state: NodeRecord.State) async throws(StoreError)
}

/// The answer to a renewal.
package struct Renewal: Sendable, Equatable {
    package enum Standing: Sendable, Equatable {
        case renewed
        /// Claimed or gone: this incarnation is over (ND-3).
        case lost
        /// A newcomer of the same name took over: the process exits (ND-5).
        case superseded
    }

    package var standing: Standing
    /// The primary's clock, in milliseconds since 1970, as near to the write as the server tells.
    package var serverTime: Int64

    package init(standing: Standing, serverTime: Int64) {
        self.standing = standing
        self.serverTime = serverTime
    }
}

/// What one reading of the registry brought.
package struct DirectoryReading: Sendable, Equatable {
    package var records: [NodeRecord]
    /// False when some shard did not answer: records missing here then keep their last state (ND-2).
    package var isComplete: Bool
    /// Why records of nodes that may be alive were left out: programs of other versions have written them.
    package var foreign: [String] = []

    package init(records: [NodeRecord], isComplete: Bool) {
        self.records = records
        self.isComplete = isComplete
    }
}
