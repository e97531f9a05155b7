package import NIOCore

/// The one answer of one action, for whatever transport (SPEC AC-8).
package struct ActionAnswer: Sendable {
    package var status: Int
    package var content: JSONValue
    /// Each an array: name, arguments.
    package var events: [JSONValue]
    /// A page, where the requester prefers one.
    package var html: String?
    /// The `Content-Security-Policy` of a page that was made from a template.
    package var contentPolicy: String?
    package var location: String?
    /// `ETag`, without its quotes.
    var tag: String?
    /// For 405 and OPTIONS.
    package var allow: [String]?
    /// Bytes in place of content; nil for an ordinary answer (AC-10).
    package var stream: AnswerStream?
    /// What the agent's session changes owe (ID-10 to ID-12).
    package var cookies: [SetCookie] = []

    package init(
        status: Int, content: JSONValue = [:], events: [JSONValue] = [], html: String? = nil, location: String? = nil,
        allow: [String]? = nil
    ) {
        self.status = status
        self.content = content
        self.events = events
        self.html = html
        self.location = location
        self.allow = allow
    }

    init(_ error: ActionError) {
        self.init(status: error.status, content: error.content)
    }

    /// The content alone.
    var contentText: ByteBuffer {
        var buffer = ByteBuffer()
        self.content.write(to: &buffer)
        return buffer
    }

    /// `{"content":…,"events":[…]}`.
    package var json: ByteBuffer {
        var buffer = ByteBuffer()
        JSONValue.object(["content": self.content, "events": .array(self.events)]).write(to: &buffer)
        return buffer
    }
}
