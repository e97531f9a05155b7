package import Wire

/// What a node asks of another one beside delivering an event, in the message's source, which an older node does not look
/// at: `confirm:N` to say what it has written (SPEC EV-2; what is silent counts as unknown), `trace:ID` to write down what
/// becomes of it, beside that `parent:TRACEPARENT` for one that is in a trace of the application's (``TraceParent``),
/// `post:MARK` for one of the outbox, which may come again (``PostingMark``); with spaces between them.
package enum EventConfirmation {
    private static let mark = "confirm:"
    private static let traceMark = "trace:"
    private static let parentMark = "parent:"
    private static let postingMark = "post:"

    /// The source of an event's message.
    /// - Parameter request: of ``ClusterRequests``.
    package static func source(_ request: UInt64?, trace: TracedEvent? = nil, posting: PostingMark? = nil) -> String {
        let parts = [
            request.map { "\(self.mark)\($0)" }, trace.map { self.traceMark + $0.id.text },
            trace?.span.map { self.parentMark + $0.own.text }, posting.map { self.postingMark + $0.text },
        ]
        return parts.compactMap(\.self).joined(separator: " ")
    }

    /// - Returns: the request; nil for an event that nobody asks about.
    package static func request(of message: BusMessage) -> UInt64? {
        self.value(self.mark, of: message).flatMap { UInt64($0) }
    }

    /// - Returns: nil for an event that is not traced.
    package static func trace(of message: BusMessage) -> TraceID? {
        self.value(self.traceMark, of: message).flatMap { TraceID($0) }
    }

    /// The same with this node's own part of the trace of the application's, if it belongs to one.
    package static func traced(_ message: BusMessage) -> TracedEvent? {
        guard let id = self.trace(of: message) else { return nil }
        let parent = self.value(self.parentMark, of: message).flatMap { TraceParent($0) }
        return TracedEvent(id, in: parent.map { TraceSpan(under: $0) })
    }

    /// - Returns: nil for an event that is not from the outbox.
    package static func posting(of message: BusMessage) -> PostingMark? {
        self.value(self.postingMark, of: message).flatMap { PostingMark($0) }
    }

    private static func value(_ mark: String, of message: BusMessage) -> Substring? {
        guard !message.source.isEmpty, message.kind == .event else { return nil }
        let part = message.source.split(separator: " ").first { $0.hasPrefix(mark) }
        return part?.dropFirst(mark.utf8.count)
    }
}
