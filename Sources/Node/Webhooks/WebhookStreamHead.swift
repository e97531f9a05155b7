internal import NIOHTTP1

/// What a target says of an answer that is a stream, in the fields of its response (docs/webhooks.md, "Streams").
struct WebhookStreamHead: Sendable, Equatable {
    private static let kind = "x-submergence-reply"
    private static let statusField = "x-submergence-status"

    /// What the requester gets.
    let status: Int
    /// A media type; nil where the target says nothing.
    let type: String?
    /// Bytes in all, where they are known.
    let length: Int?

    /// - Returns: nil for an answer that is a reply document.
    init?(_ headers: HTTPHeaders) throws(WebhookFailure) {
        let kinds = headers[Self.kind]
        guard let kind = kinds.first else { return nil }
        guard kinds.count == 1, kind == "stream" else { throw .malformed("\(Self.kind) takes stream") }
        self.status = try Self.status(headers[Self.statusField])
        let types = headers["content-type"]
        if let type = types.first, types.count > 1 || !Reply.isMediaType(type) {
            throw .malformed("its content-type is no media type")
        }
        self.type = types.first
        let lengths = headers["content-length"]
        self.length = lengths.count == 1 ? Int(lengths[0]).flatMap { $0 < 0 ? nil : $0 } : nil
        // Else whatever ends the connection would look like the end of the stream.
        let isChunked = headers[canonicalForm: "transfer-encoding"].contains { $0.lowercased() == "chunked" }
        guard self.length != nil || isChunked else { throw .malformed("a stream has a content-length, or chunks") }
    }

    private static func status(_ values: [String]) throws(WebhookFailure) -> Int {
        guard let text = values.first else { return 200 }
        guard values.count == 1, let status = Int(text), (200...599).contains(status),
            ![204, 205, 304].contains(status)
        else { throw .malformed("\(self.statusField) must be 200 to 599, and have a body") }
        return status
    }
}
