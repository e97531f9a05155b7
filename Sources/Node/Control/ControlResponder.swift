internal import HTTPTypes
internal import Hummingbird
package import HummingbirdCore
package import NIOCore

/// The control listener: the control API, metrics, liveness, readiness (SPEC RM-1, OP-2, DESIGN §7). A listener of its own,
/// for operators and backends only.
package struct ControlResponder: Sendable {
    /// The control listener would be open to anybody who can reach it.
    package struct Unprotected: Error, Sendable, Equatable, CustomStringConvertible {
        package let host: String
        package var description: String {
            "the control listener has no keys, so it must stay on loopback, 127.0.0.1 or ::1: \(self.host) is not"
        }
    }

    private let keyring: ControlKeyring
    private let access: ControlAccess
    private let metrics: (@Sendable () -> String)?
    private let unreadiness: @Sendable () -> [String]
    private let api: ActionPipeline
    private let document: StaticPages
    private let dashboard: Dashboard
    private let proxies: ProxyTrust
    private let hostNames: Set<String>
    private let rates: ControlRates
    private let isLoopback: Bool
    private let serving = ActionServing(bodyTimeout: .seconds(10)) { try await Task.sleep(for: $0) }

    /// - Parameters:
    ///   - host: where the listener is. Without keys it must be loopback, in every mode.
    ///   - metrics: the page of the registry, if the program keeps one: `PrometheusMetricsFactory.text`.
    ///   - unreadiness: why the node should get no new connections, in words; empty when it may.
    ///   - api: what the requests under `/v1/` do.
    ///   - access: who may do it.
    ///   - proxies: that are believed what they say of clients.
    ///   - rates: how fast each key may ask.
    ///   - hostNames: canonical; names beside those of loopback that a listener on loopback answers to, through a proxy.
    init(
        host: String, keyring: ControlKeyring, access: ControlAccess, dashboard: Dashboard, proxies: ProxyTrust,
        hostNames: Set<String> = [], rates: ControlRates, metrics: (@Sendable () -> String)?,
        unreadiness: @escaping @Sendable () -> [String], api: ActionPipeline, document: StaticPages
    ) throws(Unprotected) {
        let name = HostName(host.contains(":") ? "[\(host)]" : host)
        self.isLoopback = name?.isLoopback ?? false
        guard self.isLoopback || keyring.asksForKeys else { throw Unprotected(host: host) }
        self.keyring = keyring
        self.access = access
        self.dashboard = dashboard
        self.proxies = proxies
        self.hostNames = hostNames
        self.rates = rates
        self.metrics = metrics
        self.unreadiness = unreadiness
        self.api = api
        self.document = document
    }

    /// As Hummingbird's server calls it: an `HTTPChannelHandler.Responder`.
    @concurrent @Sendable
    package func handle(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        try await self.serving.serve(request, writer, channel) { await self.answer($0, peer: $1, body: $2) }
    }

    /// - Parameter peer: the transport's address, without port.
    package func respond(to request: Request, peer: String = "127.0.0.1") async -> Response {
        await self.serving.respond(to: request, peer: peer) { await self.answer($0, peer: $1, body: $2) }
    }

    private func answer(_ request: Request, peer: String, body: RequestBodyReader?) async -> ActionServing.Exchange {
        let target = request.head.path ?? ""
        let path = ActionTrace.split(target).path
        // A page that was made to resolve to loopback (DNS rebinding) names its own host. Elsewhere a key is asked for.
        let source = self.proxies.source(request.head, peer: peer)
        let isPrivate = self.isLoopback && self.names(request.head, loopback: "host")
        if self.isLoopback, !isPrivate, !self.isNamed(request.head) {
            return .init(response: Self.text(421, "the control listener answers to loopback names only\n", request))
        }
        if let response = self.document.response(request.method, path, request.head) {
            return .init(response: response)
        }
        if let response = await self.dashboard.answer(request, path, source, body) { return .init(response: response) }
        guard path.hasPrefix("/v1/") else { return .init(response: self.page(path, request, isPrivate: isPrivate)) }
        // Without keys, what keeps pages on the web out is that they cannot send JSON here without asking.
        let hasForeignOrigin = request.head.values("origin").contains { !Self.isLoopback(origin: $0) }
        let isJSON = request.head.single("content-type")?.lowercased().hasPrefix("application/json") ?? false
        guard self.keyring.asksForKeys || (!hasForeignOrigin && (isJSON || body == nil)) else {
            return .init(
                ActionAnswer(ActionError(403, "FOREIGN")), to: request.head, vary: "Authorization", isBare: true)
        }
        var call = ActionCall(
            transport: .http, method: ActionMethod(rawValue: request.method.rawValue), target: target, domain: "",
            address: source.address, contentType: request.head.single("content-type"),
            contentEncoding: request.headers[.contentEncoding], accept: ["application/json"],
            body: body.map { ActionCall.Body.stream($0) } ?? ActionCall.Body.none, hasProof: true,
            authenticate: {
                let authorization = request.head.values("authorization")
                let signedIn = authorization.isEmpty ? try self.dashboard.agent(request.head, source) : nil
                let agent =
                    try signedIn ?? self.access.agent(authorization: authorization, address: source.address)
                if self.keyring.asksForKeys { try self.rates.admit(agent.user ?? "") }
                return agent
            })
        call.trace = RequestTrace(request.head)
        let keys = request.head.values("idempotency-key")
        // Two of them are none.
        call.idempotencyKey = keys.count > 1 ? "" : keys.first
        let matches = request.head.values("if-match")
        call.ifMatch = matches.count > 1 ? "" : matches.first
        return .init(await self.api.run(call), to: request.head, vary: "Authorization", isBare: true)
    }

    private func names(_ head: HTTPRequest, loopback field: String) -> Bool {
        head.single(field).flatMap { HostName($0) }?.isLoopback ?? false
    }

    private func isNamed(_ head: HTTPRequest) -> Bool {
        guard let name = head.single("host").flatMap({ HostName($0) })?.name else { return false }
        return self.keyring.asksForKeys && self.hostNames.contains(name)
    }

    private static func isLoopback(origin: String) -> Bool {
        let host = origin.split(separator: "/").last.map(String.init)
        return host.flatMap { HostName($0) }?.isLoopback ?? false
    }

    private func page(_ path: String, _ request: Request, isPrivate: Bool) -> Response {
        let known = ["/metrics", "/.well-known/submergence/live", "/.well-known/submergence/ready"]
        guard known.contains(path) else { return Self.text(404, "not found\n", request) }
        guard request.method == .get || request.method == .head else {
            var response = Self.text(405, "GET only\n", request)
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        switch path {
        case "/metrics":
            guard isPrivate || self.mayReadMetrics(request.head) else {
                var response = Self.text(401, "a control key with the scope metrics is needed\n", request)
                response.headers[.wwwAuthenticate] = "Bearer"
                return response
            }
            guard let metrics = self.metrics else {
                return Self.text(404, "the program that runs this node keeps no registry\n", request)
            }
            return Self.text(200, metrics(), request, type: "text/plain; version=0.0.4; charset=utf-8")
        case "/.well-known/submergence/live":
            return Self.text(200, "live\n", request)
        default:
            let reasons = self.unreadiness()
            guard !reasons.isEmpty else { return Self.text(200, "ready\n", request) }
            return Self.text(503, reasons.map { "not ready: \($0)\n" }.joined(), request)
        }
    }

    private func mayReadMetrics(_ head: HTTPRequest) -> Bool {
        do {
            let agent = try self.access.agent(authorization: head.values("authorization"), address: "")
            try self.access.check(agent, .metrics)
            return true
        } catch {
            return false
        }
    }

    private static func text(
        _ status: Int, _ text: String, _ request: Request, type: String = "text/plain; charset=utf-8"
    ) -> Response {
        let body = ByteBuffer(string: text)
        var fields: HTTPFields = [
            .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff", .date: HTTPDate.now(),
        ]
        guard request.method != .head else {
            fields[.contentLength] = String(body.readableBytes)
            return Response(status: .init(code: status), headers: fields)
        }
        return Response(status: .init(code: status), headers: fields, body: ResponseBody(byteBuffer: body))
    }
}
