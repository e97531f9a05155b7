internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore
internal import NIOHTTPTypes

/// How actions are served on an HTTP connection, whoever decides on the answer: bodies, their time, the form of the answer,
/// and whether the connection goes on.
struct ActionServing: Sendable {
    /// A request's answer, and what is owed for it on the connection.
    struct Exchange {
        var response: Response
        var stream: AnswerStream?
        /// The connection ends behind the answer, which says so.
        var isLast = false
    }

    /// Decides on the answer. `peer` is the transport's address, without port; empty where it has none.
    typealias Answering = @Sendable (_ request: Request, _ peer: String, _ body: RequestBodyReader?) async -> Exchange

    private let bodyTimeout: Duration
    private let sleep: @Sendable (Duration) async throws -> Void

    /// - Parameter bodyTimeout: how long a body may take to arrive; then 408 (SPEC AC-12).
    init(bodyTimeout: Duration, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.bodyTimeout = bodyTimeout
        self.sleep = sleep
    }

    /// Reads a request, answers it, and deals with what is left of its body. What it throws ends the connection.
    @concurrent
    func serve(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel, _ answer: @escaping Answering
    ) async throws {
        let body = self.body(of: request) {
            try await channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)))
        }
        guard let body else { return try await self.serve(request, nil, writer, channel, answer) }
        // Cancelled when this has been served.
        async let _ = body.watch()
        try await self.serve(request, body, writer, channel, answer)
    }

    /// The answer alone.
    func respond(to request: Request, peer: String, _ answer: Answering) async -> Response {
        await self.exchange(request, peer, self.body(of: request) {}, answer).response
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
        _ request: Request, _ body: RequestBodyReader?, _ writer: consuming ResponseWriter, _ channel: any Channel,
        _ answer: Answering
    ) async throws {
        let exchange = await self.exchange(request, channel.remoteAddress?.ipAddress ?? "", body, answer)
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

    private func exchange(
        _ request: Request, _ peer: String, _ body: RequestBodyReader?, _ answer: Answering
    ) async -> Exchange {
        var exchange = await answer(request, peer, body)
        exchange.response.headers[.date] = HTTPDate.now()
        exchange.isLast = exchange.isLast || !(body?.canSettle ?? true)
        if exchange.isLast { exchange.response.headers[.connection] = "close" }
        return exchange
    }
}

extension ActionServing.Exchange {
    /// An action's answer as a response.
    /// - Parameters:
    ///   - isBare: the content alone, without events: for what no page asks.
    ///   - more: adds fields.
    init(
        _ answer: ActionAnswer, to head: HTTPRequest, vary: String, isBare: Bool = false,
        _ more: (inout HTTPFields) -> Void = { _ in }
    ) {
        var fields: HTTPFields = [.cacheControl: "no-store", .xContentTypeOptions: "nosniff", .vary: vary]
        more(&fields)
        if let allow = answer.allow { fields[.allow] = allow.joined(separator: ", ") }
        if let tag = answer.tag { fields[.eTag] = "\"\(tag)\"" }
        if let location = answer.location { fields[.location] = PercentEncoding.encodeNonASCII(location) }
        for cookie in answer.cookies { fields.append(HTTPField(name: .setCookie, value: cookie.text)) }
        if answer.status == 401 { fields[.wwwAuthenticate] = "Bearer error=\"invalid_token\"" }
        if answer.status == 503 || answer.status == 429 { fields[.retryAfter] = "1" }
        let status = HTTPResponse.Status(code: answer.status)
        if let stream = answer.stream {
            fields[.contentType] = stream.type ?? "application/octet-stream"
            guard head.method != .head else {
                stream.cancel()
                if let length = stream.length {
                    fields[.contentLength] = String(length)
                    self.init(response: Response(status: status, headers: fields))
                    return
                }
                // As of GET, chunked; the encoder would end that with a chunk, so that nothing may come behind the head.
                let head = ResponseBody { _ in }
                self.init(response: Response(status: status, headers: fields, body: head), isLast: true)
                return
            }
            self.init(response: Response(status: status, headers: fields, body: stream.responseBody), stream: stream)
            return
        }
        if answer.status == 204 || answer.status == 304 {
            self.init(response: Response(status: status, headers: fields))
            return
        }
        let body: ByteBuffer
        if let html = answer.html {
            fields[.contentType] = "text/html; charset=utf-8"
            fields[.contentSecurityPolicy] = answer.contentPolicy ?? "frame-ancestors 'none'"
            fields[.xFrameOptions] = "DENY"
            body = ByteBuffer(string: html)
        } else {
            fields[.contentType] = "application/json"
            body = isBare ? answer.contentText : answer.json
        }
        guard head.method != .head else {
            fields[.contentLength] = String(body.readableBytes)
            self.init(response: Response(status: status, headers: fields))
            return
        }
        self.init(response: Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body)))
    }
}

/// Makes Hummingbird's connection loop end.
private struct ConnectionEnd: Error {}
