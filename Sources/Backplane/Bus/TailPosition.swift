package import Routing
package import Wire

/// How far a home was read, and where a new tail begins (SPEC ND-9).
package struct TailPosition: Sendable, Equatable {
    /// Behind the last batch of a change stream, also a quiet one.
    package private(set) var token: BSONDocument?
    /// Newest `t` that came.
    package private(set) var newest: BSONTimestamp?

    /// The overlap of a new cursor with the old one: `t` is not strictly ascending in a slot. What comes twice is dropped.
    package static let cursorOverlap: UInt32 = 10

    package init(token: BSONDocument? = nil, newest: BSONTimestamp? = nil) {
        self.token = token
        self.newest = newest
    }

    /// A change stream delivered a batch.
    package mutating func advance(token: BSONDocument?) {
        if let token { self.token = token }
    }

    package mutating func advance(time: UInt64) {
        let time = BSONTimestamp(seconds: UInt32(time >> 32), increment: UInt32(truncatingIfNeeded: time))
        self.newest = max(self.newest ?? time, time)
    }

    /// The token is of no use any more: a new stream begins now, and what the slot still holds is read by itself.
    package mutating func loseHistory() { self.token = nil }

    package var streamStart: MongoTail.Start { self.token.map { .after($0) } ?? .now }

    /// What a change stream matches, on the server.
    package static func streamMatch(for node: NodeID) -> BSONDocument {
        BSONDocument {
            $0.append("operationType", "insert")
            $0.append("fullDocument.to", node.text)
        }
    }

    /// What is read from the slot, by a cursor or after a loss of history.
    package func filter(for node: NodeID) -> BSONDocument {
        BSONDocument { filter in
            filter.append("to", node.text)
            guard let newest = self.newest else { return }
            let seconds = newest.seconds - min(newest.seconds, Self.cursorOverlap)
            filter.document("t") { $0.append("$gte", BSONTimestamp(seconds: seconds, increment: 0)) }
        }
    }

    /// Failures after which no token helps: ChangeStreamHistoryLost, ChangeStreamFatalError, InvalidResumeToken,
    /// CappedPositionLost.
    package static func isHistoryLost(_ error: MongoError) -> Bool {
        switch error.serverCode {
        case MongoError.changeStreamHistoryLost, MongoError.cappedPositionLost, 280, 260: true
        default: error.hasLabel("NonResumableChangeStreamError")
        }
    }
}
