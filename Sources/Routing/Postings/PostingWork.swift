package import Wire

/// A posting that can be sent.
package struct PreparedPosting: Sendable, Equatable {
    package var key: RouteKey
    package var client: String?
    package var packet: OutboundPacket
    package var isConfirmed: Bool
    package var isTraced: Bool
    package var parent: TraceParent?

    package init(
        key: RouteKey, client: String?, packet: OutboundPacket, isConfirmed: Bool = false, isTraced: Bool = false,
        parent: TraceParent? = nil
    ) {
        self.key = key
        self.client = client
        self.packet = packet
        self.isConfirmed = isConfirmed
        self.isTraced = isTraced
        self.parent = parent
    }
}

/// A document as the machine takes it in.
package struct PostingIntake: Sendable, Equatable {
    package var id: PostingID
    /// Of the user: ``PostingLaneRecord/lane(ofHash:)``; nil for one without a user.
    package var lane: Int?
    package var number: PostingNumber?
    package var content: Result<PreparedPosting, PostingRefusal>

    package init(
        id: PostingID, lane: Int?, number: PostingNumber?, content: Result<PreparedPosting, PostingRefusal>
    ) {
        self.id = id
        self.lane = lane
        self.number = number
        self.content = content
    }
}

/// A number for a posting: a compare-and-set on the document.
package struct PostingAssignment: Sendable, Equatable {
    package var id: PostingID
    package var number: PostingNumber
    /// What it has now; nil for a new one.
    package var replacing: PostingNumber?

    package init(id: PostingID, number: PostingNumber, replacing: PostingNumber? = nil) {
        self.id = id
        self.number = number
        self.replacing = replacing
    }
}

/// An attempt to send a posting.
package struct PostingSend: Sendable, Equatable {
    package var id: PostingID
    package var event: PreparedPosting
    package var mark: PostingMark
    /// From 1. A posting that was taken over begins with 2, as its holder before may have sent it.
    package var attempt: Int
}

/// What came of an attempt.
package struct PostingOutcome: Sendable, Equatable {
    /// False when somebody may have missed it: then it is sent again.
    package var isComplete: Bool
    /// What the application gets to read.
    package var receipt: BSONDocument

    package init(isComplete: Bool, receipt: BSONDocument) {
        self.isComplete = isComplete
        self.receipt = receipt
    }
}

/// The end of a posting: a compare-and-set on the document.
package struct PostingSettlement: Sendable, Equatable {
    package enum Result: Sendable, Equatable {
        case delivered(receipt: BSONDocument, isComplete: Bool, attempts: Int)
        case refused(PostingRefusal)
    }

    package var id: PostingID
    /// nil for one that was refused before it had a number.
    package var number: PostingNumber?
    package var result: Result

    package init(id: PostingID, number: PostingNumber?, result: Result) {
        self.id = id
        self.number = number
        self.result = result
    }
}
