/// The registry's record of one node incarnation (SPEC §2 "Nodes").
package struct NodeRecord: Sendable, Equatable {
    /// Only ever moves forward.
    package enum State: UInt8, Sendable, Comparable {
        case up = 1
        /// Asked its clients to leave (ND-12); still routable.
        case draining = 2
        /// A newcomer of the same name took over (ND-5).
        case superseded = 3
        /// Found dead; its connections are being removed (ND-4).
        case claimed = 4
        /// Reaped, or left in good order.
        case gone = 5

        package static func < (left: State, right: State) -> Bool { left.rawValue < right.rawValue }
    }

    /// Where envelopes for the node are written and tailed: a slot of one shard (ND-6).
    package struct Home: Sendable, Hashable {
        /// Position in the bus topology's list of shards or sets, in the order of their names.
        package var shard: String
        package var slot: Int

        package init(shard: String, slot: Int) {
            self.shard = shard
            self.slot = slot
        }

        package var label: String { "\(self.shard)/slot\(self.slot)" }
    }

    package let id: NodeID
    /// Explicit unique name, if one was configured (ND-5).
    package var name: String?
    /// Where a browser or operator reaches this very node, if it was configured; shown by demo and status.
    package var address: String?
    package var state: State
    /// Raised by every renewal. A node is alive while others see it rise.
    package var beat: Int64
    /// The node that reaps this one, and its own beat counter on that work (the claim is renewed like a lease, ND-4).
    package var claimedBy: NodeID?
    package var claimBeat: Int64
    /// Milliseconds since 1970, for people.
    package var started: Int64
    /// Two homes, or one where there is only one shard.
    package var homes: [Home]
    /// Format of the envelopes and documents that this node writes, and the newest that it reads.
    package var format: Int
    package var newestFormat: Int
    /// Connects a second that the node could take at its newest renewal (ND-12): 0 for one that takes none, nil for one
    /// that does not say, as older versions don't.
    package var intake: Int?

    /// Its name, or its ID where it has none.
    package var label: String { self.name ?? self.id.text }

    /// What is believed of a node that does not say: cautious, for a node of one core takes more.
    package static let unknownIntake = 100

    package init(id: NodeID, name: String?, address: String?, started: Int64, homes: [Home], format: Int = 1) {
        self.id = id
        self.name = name
        self.address = address
        self.state = .up
        self.beat = 0
        self.claimedBy = nil
        self.claimBeat = 0
        self.started = started
        self.homes = homes
        self.format = format
        self.newestFormat = format
    }
}
