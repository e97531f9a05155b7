import Routing
import Testing

@testable import Node

/// In which traces requests to webhooks are (docs/webhooks.md, "Requests").
@Suite struct WebhookTraceTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private static func request(_ fields: [(String, String)]) -> WebhookRequest {
        var request = ActionRequest(
            transport: .http, method: .post, domain: "d", path: "/p", params: [:], query: [:], body: .none,
            contentType: nil, format: .json, address: "127.0.0.1")
        request.trace = RequestTrace(HeaderList(fields.map { (name: $0.0, value: $0.1) }))
        let agent = Agent(domain: "d", user: nil, client: nil, isDomestic: false, address: "127.0.0.1")
        return WebhookRequest(request, agent, for: WebhookAction(.get, "/p"))
    }

    @Test("A request is in the trace that the action came with, each attempt as a span of its own")
    func caller() throws {
        let request = Self.request([("TraceParent", Self.parent), ("tracestate", "a=1"), ("tracestate", "b=2")])
        let spans = try (0..<2).map { _ in try #require(request.span(sampling: 0)) }
        #expect(spans[0].own != spans[1].own)
        for span in spans {
            #expect(span.own.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
            #expect(span.parent == request.trace?.span.own)
        }
        #expect(request.trace?.span.parent?.text == Self.parent)
        #expect(request.trace?.state?.text == "a=1,b=2")
    }

    @Test("What is not of the form, or comes twice, is no trace; nor is a tracestate alone")
    func odd() throws {
        #expect(Self.request([]).trace == nil)
        #expect(Self.request([("traceparent", "00-1-2-01")]).trace == nil)
        #expect(Self.request([("traceparent", Self.parent), ("traceparent", Self.parent)]).trace == nil)
        #expect(Self.request([("tracestate", "a=1")]).trace == nil)
        let request = Self.request([("traceparent", Self.parent), ("tracestate", "a=1,a=2")])
        #expect(try #require(request.trace).state == nil)
    }

    @Test("A request that came with none begins a trace as often as the rate says, of one ID for all attempts")
    func sampling() throws {
        #expect((0..<100).allSatisfy { _ in Self.request([]).span(sampling: 0) == nil })
        let share = (0..<4_000).count { _ in Self.request([]).span(sampling: 0.5) != nil }
        #expect((1_000...3_000).contains(share))
        for _ in 0..<100 {
            let request = Self.request([])
            let spans = try (0..<2).map { _ in try #require(request.span(sampling: 1)) }
            #expect(spans[0].own.traceID == spans[1].own.traceID && spans[0].own != spans[1].own)
            #expect(spans[0].own.isSampled && spans[0].parent == nil)
            // The ID is that of X-Submergence-Request.
            let bits = try #require(Base64URL.value128(request.id.utf8))
            #expect(UInt128(spans[0].own.traceID, radix: 16) == bits)
        }
    }
}
