import DequeModule
import NIOCore
package import Routing
package import Wire

/// The inserts to one shard (SPEC ND-14: queues and limits are per shard).
struct OutboxLane: Sendable {
    struct Repeat: Sendable {
        var target: NodeID
        var sequence: Int64
        var attempt: Int
    }

    struct Copy: Sendable {
        var target: NodeID
        var sequence: Int64
    }

    let shard: String
    /// Targets with messages that wait, oldest first.
    var ready: [NodeID] = []
    var repeats: [Repeat] = []
    /// Kept envelopes of silent shards, to be put here.
    var copies: Deque<Copy> = []
    var probes: [OutboxProbe] = []
    var inFlight = 0
    /// When an insert last came back, with whatever outcome.
    var lastAnswer: NIODeadline?
    /// No answer, or an error, from the last insert: new envelopes avoid the shard while another home is better.
    var isSuspect = false
    /// A slot that is known to be there, for trial probes.
    var lastSlot = 0

    var hasWork: Bool {
        !self.ready.isEmpty || !self.repeats.isEmpty || !self.copies.isEmpty || !self.probes.isEmpty
    }
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
        /// In place of entries: one that lies in a silent home already.
        package var kept: KeptEnvelope?
        /// The sender has read so far what the target sent it; 0: nothing.
        package var readMark: Int64 = 0
        /// Seconds since the envelope was first stored; 0 for one that is not a copy.
        package var age: Int64 = 0

        package var messages: [BusMessage] { self.kept?.messages ?? self.entries.map(\.message) }
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
    /// Where they are stored.
    package var home: NodeRecord.Home?
    package var target: NodeID
}

extension OutboxCompletion: Sendable where Receipt: Sendable {}
