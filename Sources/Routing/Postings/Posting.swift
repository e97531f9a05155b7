package import Wire

/// A document that an application has put into the outbox: an event to a person (docs/outbox.md).
package struct Posting: Sendable, Equatable {
    package var id: PostingID
    /// nil: the only one that is served.
    package var domain: String?
    package var user: String
    /// Only connections of this device; nil for all.
    package var client: String?
    package var event: String
    package var arguments: [EventArgument]
    /// The nodes are asked what they have written.
    package var isConfirmed: Bool
    package var isTraced: Bool
    package var parent: TraceParent?
    /// nil for one that nobody has begun.
    package var number: PostingNumber?

    package init(
        id: PostingID, domain: String?, user: String, client: String?, event: String, arguments: [EventArgument],
        isConfirmed: Bool = false, isTraced: Bool = false, parent: TraceParent? = nil, number: PostingNumber? = nil
    ) {
        self.id = id
        self.domain = domain
        self.user = user
        self.client = client
        self.event = event
        self.arguments = arguments
        self.isConfirmed = isConfirmed
        self.isTraced = isTraced
        self.parent = parent
        self.number = number
    }
}

/// One document as it was read.
package enum PostingReading: Sendable, Equatable {
    case posting(Posting)
    /// It can never be sent. With its number, if it has one.
    case malformed(PostingID, PostingNumber?, PostingRefusal)

    package var id: PostingID {
        switch self {
        case .posting(let posting): posting.id
        case .malformed(let id, _, _): id
        }
    }
}
