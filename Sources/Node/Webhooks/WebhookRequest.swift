internal import NIOCore
internal import Routing

/// A request to a webhook, but for what each attempt adds: timestamp, attempt and signature.
struct WebhookRequest: Sendable {
    let kind: WebhookKind
    /// Random; the same for all attempts.
    let id: String
    /// `X-Submergence-*`, without the signature.
    private let fields: [WebhookField]
    let body: JSONValue
    /// Of the request that it is about; nil where that came with none.
    private(set) var trace: RequestTrace?

    init(
        _ kind: WebhookKind, domain: String, user: String?, client: String?, isActive: Bool, isDomestic: Bool,
        _ more: [WebhookField] = [], body: JSONValue
    ) {
        self.kind = kind
        self.id = Base64URL.random128()
        self.body = body
        var fields = [
            WebhookField("version", "1"), WebhookField("kind", kind.rawValue), WebhookField("domain", domain),
            WebhookField("request", self.id), WebhookField("active", isActive ? "true" : "false"),
            WebhookField("domestic", isDomestic ? "true" : "false"),
        ]
        if let user { fields.append(WebhookField("user", user)) }
        if let client { fields.append(WebhookField("client", client)) }
        self.fields = fields + more
    }

    init(_ kind: WebhookKind, _ agent: Agent, _ more: [WebhookField] = [], body: JSONValue) {
        self.init(
            kind, domain: agent.domain, user: agent.user, client: agent.client, isActive: agent.isActive,
            isDomestic: agent.isDomestic, more, body: body)
    }

    /// What is sent and signed.
    /// - Parameter timestamp: seconds since 1970.
    func fields(attempt: Int, timestamp: Int64) -> [WebhookField] {
        self.fields + [WebhookField("attempt", String(attempt)), WebhookField("timestamp", String(timestamp))]
    }

    /// One attempt as a part of a trace: of the one that came with the request, else of a new one, whose ID is the request's
    /// own, so that all attempts are in one.
    /// - Parameter rate: share of requests that begin a trace where they came with none.
    func span(sampling rate: Double) -> TraceSpan? {
        if let trace { return TraceSpan(under: trace.span.own) }
        guard rate > 0, let id = Base64URL.value128(self.id.utf8),
            Double(UInt64(truncatingIfNeeded: id) >> 11) * 0x1p-53 < rate
        else { return nil }
        return TraceParent.root(of: id).map { TraceSpan(root: $0) }
    }
}

extension WebhookRequest {
    /// A change of presence (SPEC EV-7).
    init(_ presence: Presence) {
        var body: [String: JSONValue] = [
            "change": .string(presence.change.rawValue), "user": .string(presence.user),
            "sequence": .int(presence.sequence),
        ]
        if let client = presence.client { body["client"] = .string(client) }
        let isOnline = presence.change == .userOnline || presence.change == .clientOnline
        self.init(
            .presence, domain: presence.domain, user: presence.user, client: presence.client, isActive: isOnline,
            isDomestic: false,
            [WebhookField("action", presence.change.rawValue), WebhookField("sequence", String(presence.sequence))],
            body: .object(body))
    }

    /// A forwarded action.
    init(_ request: ActionRequest, _ agent: Agent, for action: WebhookAction) {
        // HEAD runs what GET does (SPEC AC-2), and GET is what is known where this goes.
        let method: ActionMethod = request.method == .head && action.method == .get ? .get : request.method
        var body: [String: JSONValue] = [
            "method": .string(method.rawValue), "path": .string(request.path),
            "params": .object(request.params.mapValues { .string($0) }),
            "query": request.checkedQuery ?? .object(request.query.mapValues { .string($0) }),
            "format": .string(request.format.rawValue), "transport": .string(request.transport.rawValue),
            "address": .string(request.address),
        ]
        if let type = request.contentType { body["type"] = .string(type) }
        if let agent = agent.userAgent { body["userAgent"] = .string(agent) }
        switch request.body {
        case .none: break
        case .json(let value): body["body"] = request.checkedBody ?? value
        case .form(let fields): body["form"] = request.checkedBody ?? .object(fields.mapValues { .string($0) })
        case .text(let text): body["text"] = .string(text)
        }
        if !request.files.isEmpty {
            body["files"] = .array(
                request.files.map { file in
                    [
                        "name": .string(file.name), "filename": .string(file.filename),
                        "type": file.contentType.map { .string($0) } ?? .null,
                        "base64": .string(Base64Text.encode(file.bytes.readableBytesView)),
                    ]
                })
        }
        let fields = [WebhookField("action", action.path), WebhookField("method", method.rawValue)]
        guard request.stream != nil else {
            self.init(.action, agent, fields, body: .object(body))
            self.trace = request.trace
            return
        }
        // The body is the requester's own; what describes it goes beside it.
        var call = ByteBuffer()
        JSONValue.object(body).write(to: &call)
        let streamed = [
            WebhookField("body", WebhookSignature.streamed),
            WebhookField("call", Base64URLText.encode(call.readableBytesView)),
        ]
        self.init(.action, agent, fields + streamed, body: .null)
        self.trace = request.trace
    }

    /// A request for a Link.
    init(linkFor agent: Agent, query: JSONValue) {
        self.init(.peerRequest, agent, body: ["query": query, "address": .string(agent.address)])
    }

    /// A connection that has come live.
    init(live agent: Agent) {
        var body: [String: JSONValue] = ["address": .string(agent.address)]
        if let text = agent.userAgent { body["userAgent"] = .string(text) }
        self.init(.liveConnection, agent, body: .object(body))
    }
}
