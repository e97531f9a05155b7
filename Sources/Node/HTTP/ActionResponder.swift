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
    private let bodyTimeout: Duration
    private let isLeaving: @Sendable () -> Bool
    private let sleep: @Sendable (Duration) async throws -> Void
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
        self.bodyTimeout = bodyTimeout
        self.isLeaving = isLeaving
        self.sleep = sleep
    }

    /// A request's answer, and what is owed for it on the connection.
    private struct Exchange {
        var response: Response
        var stream: AnswerStream?
        /// The connection ends behind the answer, which says so.
        var isLast = false
    }

    /// As Hummingbird's server calls it: an `HTTPChannelHandler.Responder`. What it throws ends the connection.
    @concurrent @Sendable
    package func handle(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let body = self.body(of: request) {
            try await channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)))
        }
        guard let body else { return try await self.serve(request, nil, writer, channel) }
        // Cancelled when this has been served.
        async let _ = body.watch()
        try await self.serve(request, body, writer, channel)
    }

    /// - Parameter peer: the transport's address, without port; empty where it has none.
    package func respond(to request: Request, peer: String) async -> Response {
        await self.exchange(request, peer: peer, self.body(of: request) {}).response
    }

    private func body(
        of request: Request, invite: @escaping @Sendable () async throws -> Void
    ) -> RequestBodyReader? {
        let length = request.headers[.contentLength]
        guard request.headers[.transferEncoding] != nil || length.map({ $0 != "0" }) ?? false else { return nil }
        let expects = request.headers[values: .expect].contains { $0.lowercased() == "100-continue" }
        return RequestBodyReader(
            request.body, length: length.flatMap { Int($0) }, timeout: self.bodyTimeout, sleep: self.sleep,
            invite: expects ? invite : nil)
    }

    @concurrent
    private func serve(
        _ request: Request, _ body: RequestBodyReader?, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let exchange = await self.exchange(request, peer: channel.remoteAddress?.ipAddress ?? "", body)
        if let stream = exchange.stream {
            do {
                try await channel.triggerUserOutboundEvent(AnswerStreamHandler.Began(cancel: stream.cancel))
            } catch {
                stream.cancel()
                throw error
            }
        }
        try await writer.write(response: exchange.response.head, body: exchange.response.body)
        guard exchange.isLast else {
            if let body, !(await body.settle()) { throw ConnectionEnd() }
            return
        }
        // The client sees the end of the answer, and has a while to stop sending before the rest of it is refused.
        try await channel.close(mode: .output)
        await body?.linger()
        throw ConnectionEnd()
    }

    private func exchange(_ request: Request, peer: String, _ body: RequestBodyReader?) async -> Exchange {
        var exchange = await self.answer(request, peer: peer, body: body)
        exchange.response.headers[.date] = HTTPDate.now()
        exchange.isLast = exchange.isLast || !(body?.canSettle ?? true)
        if exchange.isLast { exchange.response.headers[.connection] = "close" }
        return exchange
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
        let presented = SessionAuthority.Presented(domain: destination.domain, source: source, origin: origin)
        let call = ActionCall(
            transport: .http, method: ActionMethod(rawValue: request.method.rawValue), target: target,
            domain: destination.domain, address: source.address, contentType: head.single("content-type"),
            contentEncoding: request.headers[.contentEncoding], accept: head.values("accept"),
            body: body.map { ActionCall.Body.stream($0) } ?? ActionCall.Body.none,
            hasProof: !head.values("x-domestic").isEmpty,
            authenticate: {
                if let agent = try await self.tokens?.agent(head, presented) { return agent }
                return try await self.authority.agent(head, presented)
            })
        return self.exchange(await self.pipeline.run(call), to: head)
    }

    private func exchange(_ answer: ActionAnswer, to head: HTTPRequest) -> Exchange {
        var fields: HTTPFields = [.cacheControl: "no-store", .xContentTypeOptions: "nosniff", .vary: "Accept, Cookie"]
        self.crossOrigin.apply(to: &fields, head)
        if let allow = answer.allow { fields[.allow] = allow.joined(separator: ", ") }
        if let location = answer.location { fields[.location] = PercentEncoding.encodeNonASCII(location) }
        for cookie in answer.cookies { fields.append(HTTPField(name: .setCookie, value: cookie.text)) }
        if answer.content["error"] == "TOKEN", answer.status == 401 {
            fields[.wwwAuthenticate] = "Bearer error=\"invalid_token\""
        }
        if answer.status == 503 || answer.status == 429 { fields[.retryAfter] = "1" }
        let status = HTTPResponse.Status(code: answer.status)
        if let stream = answer.stream {
            fields[.contentType] = stream.type ?? "application/octet-stream"
            guard head.method != .head else {
                stream.cancel()
                if let length = stream.length {
                    fields[.contentLength] = String(length)
                    return Exchange(response: Response(status: status, headers: fields))
                }
                // As of GET, chunked; the encoder would end that with a chunk, so that nothing may come behind the head.
                let head = ResponseBody { _ in }
                return Exchange(response: Response(status: status, headers: fields, body: head), isLast: true)
            }
            return Exchange(
                response: Response(status: status, headers: fields, body: stream.responseBody), stream: stream)
        }
        if answer.status == 204 || answer.status == 304 {
            return Exchange(response: Response(status: status, headers: fields))
        }
        let body: ByteBuffer
        if let html = answer.html {
            fields[.contentType] = "text/html; charset=utf-8"
            fields[.contentSecurityPolicy] = answer.contentPolicy ?? "frame-ancestors 'none'"
            fields[.xFrameOptions] = "DENY"
            body = ByteBuffer(string: html)
        } else {
            fields[.contentType] = "application/json"
            body = answer.json
        }
        guard head.method != .head else {
            fields[.contentLength] = String(body.readableBytes)
            return Exchange(response: Response(status: status, headers: fields))
        }
        return Exchange(response: Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body)))
    }
}

/// Makes Hummingbird's connection loop end.
private struct ConnectionEnd: Error {}
