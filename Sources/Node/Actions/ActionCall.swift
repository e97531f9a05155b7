package import NIOCore

/// One request as a transport hands it to the pipeline.
package struct ActionCall: Sendable {
    package enum Body: Sendable {
        case none
        case bytes(ByteBuffer)
        /// Comes as it is asked for.
        case stream(any ActionBodySource)
    }

    package let transport: ActionRequest.Transport
    package let method: ActionMethod
    /// Path and query, as sent.
    package let target: String
    package let domain: String
    package let address: String
    package let contentType: String?
    /// The value of `Content-Encoding`.
    package let contentEncoding: String?
    /// The values of `Accept`.
    package let accept: [String]
    package let body: Body
    /// Beside the query of the target; of a repeated name this one counts.
    package let query: [String: String]
    /// Which request it is, where its requester says so; only the control API asks.
    package var idempotencyKey: String?
    /// The trace that it belongs to, where its requester says so.
    var trace: RequestTrace?
    /// The value of `If-Match`; only the control API asks.
    var ifMatch: String?
    /// Whether a proof of domesticity came before body and query could name one (ID-4).
    package let hasProof: Bool
    /// Called once, and only for a request that has a route. Throws what a store throws: the answer is then 503.
    package let authenticate: @Sendable () async throws -> Agent

    package init(
        transport: ActionRequest.Transport, method: ActionMethod, target: String, domain: String, address: String,
        contentType: String? = nil, contentEncoding: String? = nil, accept: [String] = [], body: Body = .none,
        query: [String: String] = [:], hasProof: Bool = false,
        authenticate: @escaping @Sendable () async throws -> Agent
    ) {
        self.transport = transport
        self.method = method
        self.target = target
        self.domain = domain
        self.address = address
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.accept = accept
        self.body = body
        self.query = query
        self.hasProof = hasProof
        self.authenticate = authenticate
    }
}

/// Why a body could not be read (SPEC AC-12).
package enum ActionBodyError: Error, Sendable, Equatable {
    case slow
    /// The connection broke, or what came was no body.
    case broken
    /// The answer is out, and what was left of the body with it.
    case over
}

/// A body that a transport has not read yet. It is asked for one piece after the other.
package protocol ActionBodySource: Sendable {
    /// Bytes in all, where the requester says so.
    var length: Int? { get }
    /// Its handler is going to read it, or not: what it leaves is not drained (SPEC AC-5).
    func willStream()
    /// - Returns: nil at the end.
    func next(_ patience: ActionBodyPatience) async throws(ActionBodyError) -> ByteBuffer?
}

/// How long a requester may take.
package enum ActionBodyPatience: Sendable {
    /// For the body as a whole: whoever buffers it.
    case whole
    /// For each piece: a stream may be as long as its limit allows.
    case piece
}
