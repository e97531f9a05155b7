/// A piece of this node's work in a trace of the application's: a request, what it sends, a delivery.
package struct TraceSpan: Sendable, Hashable {
    /// What is told to those who work for it.
    package let own: TraceParent
    /// 0: the trace begins here.
    private let caller: UInt64

    package init(under parent: TraceParent) {
        self.own = parent.moved(to: TraceParent.randomSpan)
        self.caller = parent.spanNumber
    }

    package init(root: TraceParent) {
        self.own = root
        self.caller = 0
    }

    /// Whom it works for; nil where the trace begins here.
    package var parent: TraceParent? { self.caller == 0 ? nil : self.own.moved(to: self.caller) }

    /// For a line of the log, by the names that OpenTelemetry has for them.
    package var fields: [String: String] {
        var fields = ["trace_id": self.own.traceID, "span_id": self.own.spanID, "trace_flags": self.own.flags]
        fields["parent_span_id"] = self.parent?.spanID
        return fields
    }
}
