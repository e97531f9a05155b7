/// What became of one event.
struct EventAnswer: Encodable, Sendable {
    struct Recipient: Encodable, Sendable {
        let user: String
        let receipt: Receipt
    }

    /// One for each of the people that it was for, in their order.
    var receipts: [Recipient]?
    /// In place of receipts, in a request of several events.
    var error: JSONValue?
}
