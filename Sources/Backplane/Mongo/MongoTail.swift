package import NIOCore
package import Wire

/// A change stream, or a tailable awaiting cursor on a capped collection, with the client it lives on.
///
/// Made, used and dropped on one thread. Never reopened behind the caller's back: a failure is thrown, and resuming is the
/// caller's decision (SPEC ND-9).
package struct MongoTail: ~Copyable {
    /// Where a change stream begins.
    package enum Start: Sendable {
        case now
        /// Behind the event or the batch of this token.
        case after(BSONDocument)
        /// At this cluster time, inclusive.
        case at(BSONTimestamp)
    }

    /// The longest wait of one ``next(maxAwait:)``: it bounds how long a thread takes to end.
    package static let maximumAwait = TimeAmount.milliseconds(500)

    private var cursor: OpenCursor
    private var pending: MongoBatch?
    private let client: MongoClient

    private init(_ command: ByteBuffer, database: String, on client: consuming MongoClient) throws(MongoError) {
        self.cursor = try OpenCursor(command, database: database, on: client)
        self.pending = self.cursor.firstBatch
        self.client = client
    }

    /// Opens a change stream on one collection.
    /// - Parameter match: filter on the *change events* (`operationType`, `fullDocument.to`, ...), run at the server.
    package static func changeStream(
        on client: consuming MongoClient, database: String, collection: String, match: BSONDocument?, start: Start
    ) throws(MongoError) -> MongoTail {
        let command = BSONWriter.document { command in
            command.append("aggregate", collection)
            command.array("pipeline") { stages in
                stages.documentElement { stage in
                    stage.document("$changeStream") { options in
                        switch start {
                        case .now: break
                        case .after(let token): options.append("startAfter", token)
                        case .at(let time): options.append("startAtOperationTime", time)
                        }
                    }
                }
                if let match {
                    stages.documentElement { $0.append("$match", match) }
                }
            }
            command.document("cursor") { _ in }
        }
        return try MongoTail(command, database: database, on: client)
    }

    /// Opens a tailable awaiting cursor on a capped collection, from the oldest matching document on.
    ///
    /// On an empty collection, or when nothing matches in some versions, the cursor is at its end at once (``isAtEnd``).
    package static func tailable(
        on client: consuming MongoClient, database: String, collection: String, filter: BSONDocument
    ) throws(MongoError) -> MongoTail {
        let command = BSONWriter.document {
            $0.append("find", collection)
            $0.append("filter", filter)
            $0.append("tailable", true)
            $0.append("awaitData", true)
        }
        return try MongoTail(command, database: database, on: client)
    }

    /// True when the server has closed the cursor: open a new one.
    package var isAtEnd: Bool { self.cursor.id == 0 && self.pending == nil }

    /// Blocks until something arrives, at most `maxAwait` (500 ms at most).
    /// - Returns: an empty batch when nothing arrived; it may still carry a newer resume token.
    package mutating func next(maxAwait: TimeAmount = Self.maximumAwait) throws(MongoError) -> MongoBatch {
        if let first = self.pending {
            self.pending = nil
            return first
        }
        guard self.cursor.id != 0 else {
            throw MongoError(
                .server(MongoError.cursorNotFound), operation: "getMore", message: "the cursor is at its end")
        }
        return try self.cursor.more(on: self.client, maxAwait: min(maxAwait, Self.maximumAwait))
    }

    deinit { self.cursor.close(on: self.client) }
}
