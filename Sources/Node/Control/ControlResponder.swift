internal import HTTPTypes
internal import Hummingbird
package import HummingbirdCore
package import NIOCore

/// The control listener: metrics, liveness, readiness (SPEC OP-2, DESIGN §7). A listener of its own, for operators
/// only.
package struct ControlResponder: Sendable {
    /// The control listener would be open to anybody who can reach it.
    package struct Unprotected: Error, Sendable, Equatable, CustomStringConvertible {
        package let host: String
        package var description: String {
            "the control listener has no key, so it must stay on loopback, 127.0.0.1 or ::1: \(self.host) is not"
        }
    }

    private let metrics: (@Sendable () -> String)?
    private let unreadiness: @Sendable () -> [String]

    /// - Parameters:
    ///   - host: where the listener is. Without a key, which there is none of yet, it must be loopback, in every mode.
    ///   - metrics: the page of the registry, if the program keeps one: `PrometheusMetricsFactory.text`.
    ///   - unreadiness: why the node should get no new connections, in words; empty when it may.
    package init(
        host: String, metrics: (@Sendable () -> String)?, unreadiness: @escaping @Sendable () -> [String]
    ) throws(Unprotected) {
        guard let name = HostName(host.contains(":") ? "[\(host)]" : host), name.isLoopback else {
            throw Unprotected(host: host)
        }
        self.metrics = metrics
        self.unreadiness = unreadiness
    }

    /// As Hummingbird's server calls it: an `HTTPChannelHandler.Responder`.
    @concurrent @Sendable
    package func handle(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let response = self.respond(to: request)
        try await writer.write(response: response.head, body: response.body)
    }

    package func respond(to request: Request) -> Response {
        // A page that was made to resolve to loopback (DNS rebinding) names its own host.
        guard let host = request.head.single("host").flatMap({ HostName($0) }), host.isLoopback else {
            return Self.text(421, "the control listener answers to loopback names only\n", request)
        }
        let path = ActionTrace.split(request.head.path ?? "").path
        let known = ["/metrics", "/.well-known/submergence/live", "/.well-known/submergence/ready"]
        guard known.contains(path) else { return Self.text(404, "not found\n", request) }
        guard request.method == .get || request.method == .head else {
            var response = Self.text(405, "GET only\n", request)
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        switch path {
        case "/metrics":
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
