package import Routing

/// The inserts to one shard (SPEC ND-14: queues and limits are per shard).
struct OutboxLane: Sendable {
    struct Repeat: Sendable {
        var target: NodeID
        var sequence: Int64
        var attempt: Int
    }

    let shard: String
    /// Targets with messages that wait, oldest first.
    var ready: [NodeID] = []
    var repeats: [Repeat] = []
    var probes: [OutboxProbe] = []
    var inFlight = 0
    /// No answer, or an error, from the last insert: new envelopes avoid the shard while another home is better.
    var isSuspect = false
    /// A slot that is known to be there, for trial probes.
    var lastSlot = 0

    var hasWork: Bool { !self.ready.isEmpty || !self.repeats.isEmpty || !self.probes.isEmpty }
}

/// A probe on its way into a home of this node, or into any slot of a suspect shard to see whether it takes writes again.
package struct OutboxProbe: Sendable, Equatable {
    package var slot: Int
    package var sequence: Int64
}

/// One insert command: envelopes for one slot, in any number, to be inserted unordered.
package struct OutboxInsert<Receipt> {
    package struct Outgoing {
        package var target: NodeID
        /// The text form of `target`.
        package var to: String
        package var sequence: Int64
        package var attempt: Int
        /// Empty for one that was given up.
        package var entries: [OutboxEntry<Receipt>]
    }

    package let id: Int
    package let lane: Int
    package let home: NodeRecord.Home
    package var envelopes: [Outgoing]
    package var probes: [OutboxProbe]
}

extension OutboxInsert: Sendable where Receipt: Sendable {}
extension OutboxInsert.Outgoing: Sendable where Receipt: Sendable {}

/// Messages whose fate is known.
package struct OutboxCompletion<Receipt> {
    package var entries: [OutboxEntry<Receipt>]
    /// nil: stored.
    package var error: PublishError?
}

extension OutboxCompletion: Sendable where Receipt: Sendable {}
