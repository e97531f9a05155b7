import Routing
import Testing

@Suite("W3C Trace Context") struct TraceParentTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"
    private static let ids = "\(trace)-\(span)"

    @Test(
        "A traceparent says whether it is sampled; later versions may have more, and are passed on as version 00",
        arguments: [("01", true), ("00", false), ("03", true), ("fe", false)])
    func valid(flags: String, isSampled: Bool) throws {
        for text in ["00-\(Self.ids)-\(flags)", "01-\(Self.ids)-\(flags)", "cc-\(Self.ids)-\(flags)-more"] {
            let parent = try #require(TraceParent(text), "\(text)")
            #expect(parent.isSampled == isSampled)
            #expect(parent.traceID == Self.trace && parent.spanID == Self.span)
            #expect(parent.text == "00-\(Self.ids)-\(isSampled ? "01" : "00")")
            #expect(TraceParent(parent.text) == parent)
        }
    }

    @Test(
        "What is not of the form is none",
        arguments: [
            "", "00", "ff-\(ids)-01", "00-\(ids)-1", "00-\(ids)-01-more", "00-\(ids)-01-", "00-\(ids)-01.", "00-\(ids)",
            "01-\(ids)-01more", "00-\(ids.uppercased())-01", "0G-\(ids)-01", "00-\(ids)-0g", " 00-\(ids)-01",
            "00-\(ids)-01 ", "00_\(ids)-01", "00-\(trace)_\(span)-01", "00-\(trace)\(span)-01",
            "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01",
            "00-\(trace)0-\(span)-01", "00-\(trace)-\(span)0-01", "00-é\(trace.dropFirst(2))-\(span)-01",
            "01-\(ids)-01-" + String(repeating: "x", count: 73),
        ])
    func invalid(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test("A node's own work is a span of its own under its caller's, in the same trace")
    func spans() throws {
        let parent = try #require(TraceParent("00-\(Self.ids)-01"))
        let spans = (0..<100).map { _ in TraceSpan(under: parent) }
        #expect(Set(spans.map(\.own.spanID)).union([parent.spanID]).count == 101)
        for span in spans {
            #expect(span.parent == parent && span.own.traceID == Self.trace && span.own.isSampled)
            #expect(TraceParent(span.own.text) == span.own)
        }
        #expect(
            spans[0].fields == [
                "trace_id": Self.trace, "span_id": spans[0].own.spanID, "parent_span_id": Self.span,
                "trace_flags": "01",
            ])
    }

    @Test("A trace that begins here has no parent")
    func roots() throws {
        let root = try #require(TraceParent.root(of: 0x1F))
        #expect(root.isSampled && root.traceID == "0000000000000000000000000000001f")
        let span = TraceSpan(root: root)
        #expect(span.own == root && span.parent == nil && span.fields["parent_span_id"] == nil)
        #expect(TraceParent.root(of: 0) == nil)
    }
}
