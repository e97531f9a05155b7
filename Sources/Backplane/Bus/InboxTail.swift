import NIOCore
import Routing
import Wire

/// A running tail of one slot. The two kinds differ in how they begin, in what a document looks like and in what they
/// remember; everything behind them is the same (SPEC ND-10). Lives on one thread.
protocol InboxTail: ~Copyable {
    /// `stream` or `cursor`.
    static var mode: String { get }

    /// Opens the tail at the position.
    static func open(_ slot: InboxSlot, at position: TailPosition) throws(MongoError) -> Self

    /// Blocks for the next documents, at most the slot's await time. Hands every envelope to `body`, then moves the position.
    /// - Returns: false when the server closed the tail (an empty slot): open it again.
    mutating func next(
        _ position: inout TailPosition, _ body: (Result<Envelope, EnvelopeError>) -> Void
    ) throws(MongoError) -> Bool
}

/// Where a tail reads, and for whom.
struct InboxSlot: Sendable {
    var pool: MongoPool
    var database: String
    var collection: String
    /// Text of the incarnation.
    var node: NodeID
    var awaitTime: TimeAmount
}
