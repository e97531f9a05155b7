internal import HTTPTypes
internal import Hummingbird
package import HummingbirdCore
package import NIOCore
internal import NIOHTTPTypes

/// Answers plain HTTP requests: finds domain and client, serves pages, runs actions (SPEC TR-1, TR-2, AC-1).
package struct ActionResponder: Sendable {
    private let domains: DomainTable
    private let proxies: ProxyTrust
    private let authority: SessionAuthority
    private let tokens: TokenAuthority?
    private let pipeline: ActionPipeline
    private let pages: [StaticPages]
    private let crossOrigin: ActionCrossOrigin
    private let rate: ActionRate?
    private let serving: ActionServing
    private let isLeaving: @Sendable () -> Bool
    private let limits = ActionMetrics()
    private let metrics = ResponderMetrics()

    /// - Parameters:
    ///   - pages: looked at before the actions.
    ///   - rate: of one client address; nil: any.
    ///   - isLeaving: whether the node drains: then 503, and the connection ends (SPEC AC-12, ND-12).
    ///   - bodyTimeout: how long a body may take to arrive; then 408 (SPEC AC-12).
    package init(
        domains: DomainTable, proxies: ProxyTrust, authority: SessionAuthority, pipeline: ActionPipeline,
        tokens: TokenAuthority? = nil, pages: [StaticPages] = [], crossOrigin: ActionCrossOrigin = .off,
        rate: ActionRate? = nil,
        bodyTimeout: Duration = .seconds(10), isLeaving: @escaping @Sendable () -> Bool = { false },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.domains = domains
        self.proxies = proxies
        self.authority = authority
        self.tokens = tokens
        self.pipeline = pipeline
        self.pages = pages
        self.crossOrigin = crossOrigin
        self.rate = rate
        self.serving = ActionServing(bodyTimeout: bodyTimeout, sleep: sleep)
        self.isLeaving = isLeaving
    }

    private typealias Exchange = ActionServing.Exchange

    /// As Hummingbird's server calls it: an `HTTPChannelHandler.Responder`. What it throws ends the connection.
    @concurrent @Sendable
    package func handle(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        try await self.serving.serve(request, writer, channel) { await self.answer($0, peer: $1, body: $2) }
    }

    /// - Parameter peer: the transport's address, without port; empty where it has none.
    package func respond(to request: Request, peer: String) async -> Response {
        await self.serving.respond(to: request, peer: peer) { await self.answer($0, peer: $1, body: $2) }
    }

    private func answer(_ request: Request, peer: String, body: RequestBodyReader?) async -> Exchange {
        let head = request.head
        let destination: DomainTable.Destination
        do {
            destination = try self.domains.destination(head)
        } catch {
            self.metrics.refused(error == .malformed ? .host : .domain)
            return self.exchange(ActionAnswer(error == .malformed ? .badHost : .misdirected), to: head)
        }
        let source = self.proxies.source(head, peer: peer)
        let origin = self.domains.origin(head, of: destination, isSecure: source.isSecure)
        guard !self.domains.isRefused(origin) else {
            self.metrics.refused(.foreign)
            return self.exchange(ActionAnswer(ActionError(403, "FOREIGN")), to: head)
        }
        if let fields = self.crossOrigin.preflight(request.method, head) {
            if fields[.accessControlAllowMethods] == nil { self.metrics.refused(.preflight) }
            return Exchange(response: Response(status: .noContent, headers: fields))
        }
        guard !self.isLeaving() else {
            self.metrics.refused(.leaving)
            var exchange = self.exchange(ActionAnswer(.unavailable), to: head)
            exchange.isLast = true
            return exchange
        }
        let target = head.path ?? ""
        let path = ActionTrace.split(target).path
        for pages in self.pages {
            if let response = pages.response(request.method, path, head) { return Exchange(response: response) }
        }
        if let rate = self.rate, !rate.admits(source.key) {
            self.limits.hit(.addressActions)
            self.metrics.refused(.rate)
            return self.exchange(ActionAnswer(.overRate), to: head)
        }
        let presented = SessionAuthority.Presented(
            domain: destination.domain, source: source, origin: origin, bearer: SessionSecret.bearer(in: head))
        var call = ActionCall(
            transport: .http, method: ActionMethod(rawValue: request.method.rawValue), target: target,
            domain: destination.domain, address: source.address, contentType: head.single("content-type"),
            contentEncoding: request.headers[.contentEncoding], accept: head.values("accept"),
            body: body.map { ActionCall.Body.stream($0) } ?? ActionCall.Body.none,
            hasProof: !head.values("x-domestic").isEmpty,
            authenticate: {
                if presented.bearer == nil, let agent = try await self.tokens?.agent(head, presented) { return agent }
                let agent = try await self.authority.agent(head, presented)
                // It does not make its bearer a guest: whoever sends a token means to be somebody.
                if presented.bearer != nil, !agent.isActive { throw ActionError.token }
                return agent
            })
        call.trace = RequestTrace(head)
        return self.exchange(await self.pipeline.run(call), to: head)
    }

    private func exchange(_ answer: ActionAnswer, to head: HTTPRequest) -> Exchange {
        Exchange(answer, to: head, vary: "Accept, Cookie") { self.crossOrigin.apply(to: &$0, head) }
    }
}
