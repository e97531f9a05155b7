/// An event whose way is written down.
package struct TracedEvent: Sendable, Hashable {
    package let id: TraceID
    /// This node's part of the trace of the application's to which it belongs; nil where it belongs to none.
    package let span: TraceSpan?

    package init(_ id: TraceID, in span: TraceSpan? = nil) {
        self.id = id
        self.span = span
    }
}
