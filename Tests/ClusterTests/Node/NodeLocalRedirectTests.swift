import Testing

@testable import Node

/// Redirects to what a request names (SPEC AC-7).
@Suite struct NodeLocalRedirectTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    @Test(
        "AC-7: a destination of the requester's stays on this host",
        arguments: [
            ("/", true), ("/a?b=c#d", true), ("/a//b", true), ("/%2F%2Fevil.example", true), ("//evil.example", false),
            ("/\\evil.example", false), ("\\\\evil.example", false), ("https://evil.example", false), ("", false),
            ("evil", false), ("javascript:alert(1)", false), ("/\r\nSet-Cookie: a=b", false),
            ("/\t/evil.example", false),
        ])
    func local(path: String, isTaken: Bool) async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/go") { _, _, reply in try reply.redirect(toLocal: path) }
        ])
        let answer = await pipeline.run(Self.call(.get, "/go"))
        #expect(answer.status == (isTaken ? 302 : 400))
        #expect(answer.location == (isTaken ? path : nil))
    }
}
