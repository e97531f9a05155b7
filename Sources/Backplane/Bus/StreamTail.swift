import NIOCore
import Wire

/// A change stream on a plain replica set: the set itself, one of `busURIs`, or a home shard's own (SPEC ND-10).
struct StreamTail: InboxTail, ~Copyable {
    static let mode = "stream"

    private var tail: MongoTail
    private let awaitTime: TimeAmount

    static func open(_ slot: InboxSlot, at position: TailPosition) throws(MongoError) -> StreamTail {
        StreamTail(
            tail: try MongoTail.changeStream(
                on: slot.pool.client(), database: slot.database, collection: slot.collection,
                match: TailPosition.streamMatch(for: slot.node), start: position.streamStart),
            awaitTime: slot.awaitTime)
    }

    mutating func next(
        _ position: inout TailPosition, _ body: (Result<Envelope, EnvelopeError>) -> Void
    ) throws(MongoError) -> Bool {
        guard !self.tail.isAtEnd else { return false }
        let batch = try self.tail.next(maxAwait: self.awaitTime)
        for event in batch.documents {
            guard let document = event["fullDocument"]?.document else {
                body(.failure(.missingField("fullDocument")))
                continue
            }
            position.advance(body, document)
        }
        // The token behind the batch; an older server gives that of the last event only.
        position.advance(token: batch.resumeToken ?? batch.documents.last?["_id"]?.document)
        return true
    }
}
