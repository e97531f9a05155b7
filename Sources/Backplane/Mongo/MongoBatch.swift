package import Wire

/// What one reading of a cursor brought.
package struct MongoBatch: Sendable {
    package var documents: [BSONDocument]
    /// Where a change stream goes on after this batch, also an empty one (SPEC ND-9); nil for other cursors.
    package var resumeToken: BSONDocument?
    /// The server's cluster time as it answered; nil where it does not tell.
    package var operationTime: BSONTimestamp?
    /// True for a `find` that a router answered without one of its shards (`allowPartialResults`).
    package var isPartial: Bool

    /// - Returns: the cursor's id as well; 0 once it is at its end.
    static func parse(_ reply: BSONDocument, operation: String) throws(MongoError) -> (batch: MongoBatch, id: Int64) {
        guard let cursor = reply["cursor"]?.document, let id = cursor["id"]?.int64,
            let documents = (cursor["nextBatch"] ?? cursor["firstBatch"])?.array
        else { throw MongoError(.malformedReply, operation: operation, message: "no cursor in the reply") }
        var batch = MongoBatch(
            documents: [], resumeToken: cursor["postBatchResumeToken"]?.document,
            operationTime: reply["operationTime"]?.timestamp,
            isPartial: cursor["partialResultsReturned"]?.isTrue ?? false)
        for element in documents {
            if let document = element.document { batch.documents.append(document) }
        }
        return (batch, id)
    }
}
