internal import Logging
internal import Routing

/// The trace that a request came with (W3C Trace Context, level 1), and this node's part of it.
struct RequestTrace: Sendable {
    let span: TraceSpan
    /// For those who are asked in turn.
    let state: TraceState?

    /// - Returns: nil for a request without `traceparent`, with several, or with one that is not of the form.
    init?(_ head: some HeaderView) {
        guard let parent = head.single("traceparent").flatMap({ TraceParent($0) }) else { return nil }
        self.span = TraceSpan(under: parent)
        self.state = TraceState(head.values("tracestate"))
    }
}

extension Logger.Metadata {
    /// What a line of the log says of a piece of work that belongs to a trace.
    init(_ span: TraceSpan) { self = span.fields.mapValues { .string($0) } }
}
