import NIOCore
import Routing
package import Wire

/// One message in an outbox, with what its publisher wants to be told.
package struct OutboxEntry<Receipt> {
    package var message: BusMessage
    package var receipt: Receipt
    var since: NIODeadline

    /// Memory that the entry is counted with: its bytes, and about what it costs beside them.
    static func cost(of message: BusMessage) -> Int {
        message.key.utf8.count + message.source.utf8.count + message.payload.readableBytes + 128
    }
    var cost: Int { Self.cost(of: self.message) }
}

extension OutboxEntry: Sendable where Receipt: Sendable {}

/// What an ``OutboxMachine`` holds for one target incarnation.
struct OutboxTarget<Receipt> {
    /// An envelope that has its `s` and is not known to be stored.
    struct Open {
        var entries: [OutboxEntry<Receipt>]
        var cost: Int
        /// Of its oldest message.
        var since: NIODeadline
        /// Position in `homes` where it goes, or is, now.
        var home: Int
        /// Raised by every repeat; answers to earlier attempts that say "failed" are stale.
        var attempt = 1
        /// When this attempt was put into a lane.
        var placed: NIODeadline
        /// Earliest start of an attempt that had to pause; nil while it is in a lane.
        var pausedUntil: NIODeadline?
        /// Its messages were given up; it goes on as an empty envelope, so that it leaves no hole.
        var isGivenUp = false
    }

    let id: NodeID
    let text: String
    let homes: [NodeRecord.Home]
    /// Lanes of the homes' shards, in the same order.
    let lanes: [Int]
    /// Position in `homes` that is used as long as nothing speaks against it.
    let preferred: Int
    var nextSequence: Int64 = 1
    var waiting: [OutboxEntry<Receipt>] = []
    /// Cost of waiting and open entries.
    var cost = 0
    var open: [Int64: Open] = [:]
    /// Acknowledged, and perhaps not read.
    var kept = KeptEnvelopes()
    /// The target has said that it has read so far.
    var readUpTo: Int64 = 0
    /// This node has read so far what the target sent, and bytes of that which it has not told it.
    var receivedUpTo: Int64 = 0
    var untoldBytes = 0
    /// The lane whose ready list the target is in.
    var readyLane: Int?
    var lastUse: NIODeadline
    /// Claimed or gone: nothing is accepted any more.
    var isClosed = false

    init(_ record: NodeRecord, lanes: [Int], preferred: Int, now: NIODeadline) {
        self.id = record.id
        self.text = record.id.text
        self.homes = record.homes
        self.lanes = lanes
        self.preferred = preferred
        self.lastUse = now
    }

    /// Messages in envelopes that are on their way for the first time: a repeat says that something is wrong there, and holds
    /// nobody up.
    private var messagesUnderWay: Int {
        self.open.values.reduce(0) { $1.attempt == 1 ? $0 + $1.entries.count : $0 }
    }

    /// Whether the waiting messages are better off in a later envelope. Beside what is under way goes only what is at least
    /// as much: a command costs the same whatever it carries, and under load many small ones would slow each other.
    var isHeldBack: Bool {
        guard !self.waiting.isEmpty, !self.open.isEmpty, self.waiting.count < self.messagesUnderWay else {
            return false
        }
        // Half an envelope's worth is enough.
        return self.cost - self.open.values.reduce(0) { $0 + $1.cost } < Envelope.maximumSize / 2
    }

    /// An envelope is due, if only an empty one, so that the target forgets what was read.
    func owesMark(_ limits: OutboxLimits) -> Bool { self.untoldBytes >= limits.markBytes }

    /// Takes the messages of the next envelope out of the waiting ones: as many as fit.
    mutating func takeWaiting() -> (entries: [OutboxEntry<Receipt>], cost: Int) {
        var bytes = MessageBatch.headerSize
        var count = 0
        var cost = 0
        for entry in self.waiting {
            let entryCost = entry.cost
            // A cost is more than the encoded size, so the sum of costs keeps the batch within its limit.
            guard bytes + entryCost <= Envelope.maximumSize || count == 0 else { break }
            bytes += entryCost
            cost += entryCost
            count += 1
        }
        if count == self.waiting.count {
            let all = self.waiting
            self.waiting = []
            return (all, cost)
        }
        let entries = Array(self.waiting.prefix(count))
        self.waiting.removeFirst(count)
        return (entries, cost)
    }
}

extension OutboxTarget: Sendable where Receipt: Sendable {}
extension OutboxTarget.Open: Sendable where Receipt: Sendable {}
