internal import HTTPTypes
internal import Hummingbird
package import HummingbirdCore
package import NIOCore

/// Answers plain HTTP requests: finds domain and client, serves pages, runs actions (SPEC TR-1, TR-2, AC-1).
package struct ActionResponder: Sendable {
    private let domains: DomainTable
    private let proxies: ProxyTrust
    private let authority: SessionAuthority
    private let pipeline: ActionPipeline
    private let pages: [StaticPages]
    private let bodyTimeout: Duration
    private let metrics = ResponderMetrics()
    private let sleep: @Sendable (Duration) async throws -> Void

    /// - Parameters:
    ///   - pages: looked at before the actions.
    ///   - bodyTimeout: how long a body may take to arrive; then 408 (SPEC AC-12).
    package init(
        domains: DomainTable, proxies: ProxyTrust, authority: SessionAuthority, pipeline: ActionPipeline,
        pages: [StaticPages] = [], bodyTimeout: Duration = .seconds(10),
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.domains = domains
        self.proxies = proxies
        self.authority = authority
        self.pipeline = pipeline
        self.pages = pages
        self.bodyTimeout = bodyTimeout
        self.sleep = sleep
    }

    /// As Hummingbird's server calls it: an `HTTPChannelHandler.Responder`.
    @concurrent @Sendable
    package func handle(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let response = await self.respond(to: request, peer: channel.remoteAddress?.ipAddress ?? "")
        try await writer.write(response: response.head, body: response.body)
    }

    /// - Parameter peer: the transport's address, without port; empty where it has none.
    package func respond(to request: Request, peer: String) async -> Response {
        let hasBody =
            request.headers[.transferEncoding] != nil || request.headers[.contentLength].map { $0 != "0" } ?? false
        let body = RequestBodyReader(request.body, timeout: self.bodyTimeout, sleep: self.sleep)
        var response = await self.answer(request, peer: peer, body: hasBody ? body : nil)
        response.headers[.date] = HTTPDate.now()
        if hasBody, !(await body.settle()) { response = Self.lastOnConnection(response) }
        return response
    }

    private func answer(_ request: Request, peer: String, body: RequestBodyReader?) async -> Response {
        let destination: DomainTable.Destination
        do {
            destination = try self.domains.destination(request.head)
        } catch {
            self.metrics.refused(error == .malformed ? .host : .domain)
            return Self.response(ActionAnswer(error == .malformed ? .badHost : .misdirected), to: request.method)
        }
        let source = self.proxies.source(request.head, peer: peer)
        let origin = self.domains.origin(request.head, of: destination, isSecure: source.isSecure)
        guard !self.domains.isRefused(origin) else {
            self.metrics.refused(.foreign)
            return Self.response(ActionAnswer(ActionError(403, "FOREIGN")), to: request.method)
        }
        // No origin may use the actions from elsewhere, so the question is answered without a yes (SPEC TR-5).
        if request.method == .options, !request.head.values("access-control-request-method").isEmpty {
            self.metrics.refused(.preflight)
            return Response(status: .noContent, headers: [.vary: "Origin", .xContentTypeOptions: "nosniff"])
        }
        let target = request.head.path ?? ""
        let path = ActionTrace.split(target).path
        for pages in self.pages {
            if let response = pages.response(request.method, path, request.head) { return response }
        }
        let presented = SessionAuthority.Presented(domain: destination.domain, source: source, origin: origin)
        let head = request.head
        let call = ActionCall(
            transport: .http, method: ActionMethod(rawValue: request.method.rawValue), target: target,
            domain: destination.domain, address: source.address, contentType: request.headers[.contentType],
            contentEncoding: request.headers[.contentEncoding], accept: head.values("accept"),
            body: body.map { body in .stream { (limit) throws(ActionBodyError) in try await body.read(limit: limit) } }
                ?? .none,
            hasProof: !head.values("x-domestic").isEmpty,
            authenticate: { try await self.authority.agent(head, presented) })
        return Self.response(await self.pipeline.run(call), to: request.method)
    }

    private static func response(_ answer: ActionAnswer, to method: HTTPRequest.Method) -> Response {
        var fields: HTTPFields = [.cacheControl: "no-store", .xContentTypeOptions: "nosniff", .vary: "Accept, Cookie"]
        if let allow = answer.allow { fields[.allow] = allow.joined(separator: ", ") }
        if let location = answer.location { fields[.location] = PercentEncoding.encodeNonASCII(location) }
        for cookie in answer.cookies { fields.append(HTTPField(name: .setCookie, value: cookie.text)) }
        if answer.status == 503 { fields[.retryAfter] = "1" }
        let status = HTTPResponse.Status(code: answer.status)
        if answer.status == 204 || answer.status == 304 { return Response(status: status, headers: fields) }
        let body: ByteBuffer
        if let html = answer.html {
            fields[.contentType] = "text/html; charset=utf-8"
            fields[.contentSecurityPolicy] = "frame-ancestors 'none'"
            fields[.xFrameOptions] = "DENY"
            body = ByteBuffer(string: html)
        } else {
            fields[.contentType] = "application/json"
            body = answer.json
        }
        guard method != .head else {
            fields[.contentLength] = String(body.readableBytes)
            return Response(status: status, headers: fields)
        }
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body))
    }

    /// The connection holds bytes that nobody will read: it ends behind the answer.
    private static func lastOnConnection(_ response: Response) -> Response {
        var response = response
        response.headers[.connection] = "close"
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            throw ConnectionEnd()
        }
        return response
    }
}

/// Makes Hummingbird's connection loop end.
private struct ConnectionEnd: Error {}
