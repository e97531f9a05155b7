import NIOCore
import Wire

/// A tailable awaiting cursor on the slot, through the router or on a set (SPEC ND-10). Shows writes before they are
/// committed by a majority; one that is rolled back and repeated comes twice, and the second is dropped.
struct CursorTail: InboxTail, ~Copyable {
    static let mode = "cursor"

    private var tail: MongoTail
    private let awaitTime: TimeAmount

    static func open(_ slot: InboxSlot, at position: TailPosition) throws(MongoError) -> CursorTail {
        CursorTail(
            tail: try MongoTail.tailable(
                on: slot.pool.client(), database: slot.database, collection: slot.collection,
                filter: position.filter(for: slot.node)),
            awaitTime: slot.awaitTime)
    }

    mutating func next(
        _ position: inout TailPosition, _ body: (Result<Envelope, EnvelopeError>) -> Void
    ) throws(MongoError) -> Bool {
        guard !self.tail.isAtEnd else { return false }
        for document in try self.tail.next(maxAwait: self.awaitTime).documents { position.advance(body, document) }
        return true
    }
}

extension TailPosition {
    /// Decodes a stored envelope, hands it on, and notes its time.
    mutating func advance(_ body: (Result<Envelope, EnvelopeError>) -> Void, _ document: BSONDocument) {
        let envelope: Envelope
        do throws(EnvelopeError) {
            envelope = try EnvelopeDocument.decode(document)
        } catch {
            body(.failure(error))
            return
        }
        body(.success(envelope))
        self.advance(time: envelope.time)
    }
}
