import HTTPTypes
import NIOCore

/// CORS on the engine path (SOCKETIO §2.5): off, or any origin in conformance mode. Allow-lists are the domains' (TR-5).
struct CrossOrigin: Sendable {
    let allowsAny: Bool

    private static let methods = "GET,HEAD,PUT,PATCH,POST,DELETE"

    /// - Returns: the answer to a preflight; nil for any other request.
    func preflight(_ head: HTTPRequest) -> EngineAnswer? {
        guard self.allowsAny, head.method == .options else { return nil }
        var answer = EngineAnswer(status: 204, contentType: nil, body: ByteBuffer())
        answer.extra[.accessControlAllowMethods] = Self.methods
        if let requested = head.headerFields[.accessControlRequestHeaders] {
            answer.extra[.accessControlAllowHeaders] = requested
        }
        answer.extra[.vary] = "Access-Control-Request-Headers"
        return answer
    }

    func apply(to answer: inout EngineAnswer, origin: String?) {
        if self.allowsAny { answer.extra[.accessControlAllowOrigin] = "*" }
    }
}
