import NIOCore
package import Wire

/// `_id` of a document in the outbox, of whatever type the application has chosen.
package struct PostingID: Hashable, Sendable {
    /// With the one field `_id`.
    package let document: BSONDocument

    /// - Returns: nil for a document without `_id`.
    package init?(of document: BSONDocument) {
        guard let element = document["_id"] else { return nil }
        self.document = BSONDocument { $0.append("_id", element) }
    }

    package var element: BSONElement? { self.document["_id"] }

    /// For logs: hexadecimal for an ObjectId.
    package var text: String {
        guard let element = self.element else { return "?" }
        if let text = element.string { return text }
        if let number = element.int64 { return String(number) }
        return element.rawValue.readableBytesView.prefix(32).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }
}
