package import NIOCore
package import Wire

/// Limits and delays of the bus. Every default is the one that SPEC names; tests shorten them.
package struct BusOptions: Sendable, Equatable {
    /// How inboxes are tailed (SPEC ND-10).
    package enum Tail: String, Sendable, CaseIterable {
        /// A change stream wherever one that is not merged can be opened, else the cursor.
        case auto
        /// A change stream; the start fails where none can be had.
        case stream
        /// A tailable awaiting cursor, on a sharded cluster through the router.
        case cursor
    }

    package var tail: Tail = .auto
    package var outbox = OutboxLimits()
    package var inbox = InboxLimits()
    /// How long a quiet tail waits at the server before it answers; bounds how fast a tail can be stopped. 500 ms.
    package var awaitTime: TimeAmount = .milliseconds(500)
    /// How long opening may take until both tails have delivered a probe (ND-2). 15 s.
    package var startTimeout: TimeAmount = .seconds(15)
    /// Pause between attempts to open a tail again. 250 ms.
    package var reopenPause: TimeAmount = .milliseconds(250)
    /// Bytes that tails may have read ahead of the receiver before they stop reading. 32 MiB.
    package var readAheadBytes = 32 << 20
    /// Of envelopes; only tests of two versions set it.
    package var formats = Formats.current

    package init() {}
}

/// What a sender holds and for how long (SPEC ND-6, ND-7).
package struct OutboxLimits: Sendable, Equatable {
    /// Inserts in flight per shard. 4.
    package var insertsInFlight = 4
    /// Memory for messages of one target, counted with what each costs beside its bytes. 32 MiB.
    package var targetBytes = 32 << 20
    /// Age of the oldest message for one target. 10 s.
    package var targetAge: TimeAmount = .seconds(10)
    /// An insert without an answer for so long is repeated at the other home. 1 s.
    package var answerTime: TimeAmount = .seconds(1)
    /// Least time between two attempts once every home has been tried. 200 ms.
    package var repeatPause: TimeAmount = .milliseconds(200)
    /// Envelopes of one target that are not known to be stored. 8: what every insert of both homes can carry.
    package var openEnvelopes = 8
    /// Batch bytes in one insert command. 16 MiB, a third of what a server takes.
    package var insertBytes = 16 << 20
    /// A target that was silent for so long, and is not in the directory, is forgotten. 1 h.
    package var forgetAfter: TimeAmount = .hours(1)
    /// Memory for acknowledged envelopes of one target that may not have been read; 0 keeps none. 8 MiB: two
    /// of the largest.
    package var keptBytes = 8 << 20
    /// They are kept no longer than perishable messages are delivered (ND-8). 60 s.
    package var keptAge: TimeAmount = .seconds(60)
    /// Kept bytes that go into another home with one insert. 1 MiB.
    package var copyBytes = 1 << 20
    /// A receiver says how far it has read after so many bytes, where no envelope says it anyway. 1 MiB.
    package var markBytes = 1 << 20

    package init() {}
}

/// What a receiver waits for and remembers (SPEC ND-8 to ND-10).
package struct InboxLimits: Sendable, Equatable {
    /// Wait behind a hole in the sequence. 5 s.
    package var holeTime: TimeAmount = .seconds(5)
    /// The same while a home is behind, so that what is missing may lie there unread. 15 s: longer than an election.
    package var behindHoleTime: TimeAmount = .seconds(15)
    /// Perishable messages older than this are dropped. 60 s.
    package var perishableAge: TimeAmount = .seconds(60)
    /// Bytes held back behind holes, all senders; beyond, the oldest hole is given up at once. 64 MiB.
    package var earlyBytes = 64 << 20
    /// Ranges of given-up sequence numbers remembered per sender, so that a late fill is known as one. 256.
    package var rememberedHoles = 256
    /// Time between own probes through a home. 1 s.
    package var probeInterval: TimeAmount = .seconds(1)
    /// A tail that delivers nothing, not even the own probes, for so long is opened again. 3 s.
    package var tailSilence: TimeAmount = .seconds(3)
    /// A sender that was silent for so long, and is not in the directory, is forgotten. 1 h.
    package var forgetAfter: TimeAmount = .hours(1)

    package init() {}
}
