import HTTPTypes
import HummingbirdCore
import NIOCore
import Routing
import Testing

@testable import Node

@Suite("TR-5: CORS of actions; AC-12: 429")
struct NodeCrossOriginTests {
    private let node = NodeTestIdentity()

    private func responder(
        _ http: HTTPOptions, rate: ActionRate? = nil, isLeaving: Bool = false
    ) throws -> ActionResponder {
        let pool = self.node.pool
        return ActionResponder(
            domains: try DomainTable([(name: "app.example", aliases: [])]), proxies: try ProxyTrust(),
            authority: self.node.authority,
            pipeline: ActionPipeline(
                router: try ActionRouter([Action(.get, "/") { _, _, _ in }]), submit: { pool.submit($0) },
                logger: NodeTestLines().logger),
            crossOrigin: ActionCrossOrigin(http), rate: rate, isLeaving: { isLeaving })
    }

    private static func request(
        _ method: HTTPRequest.Method, _ path: String = "/", _ fields: HTTPFields = [:], host: String = "app.example"
    ) -> Request {
        Request(
            head: HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: fields),
            body: RequestBody(buffer: ByteBuffer()))
    }

    private static func preflight(_ origin: String, headers: String? = nil) -> HTTPFields {
        var fields: HTTPFields = [.origin: origin, .accessControlRequestMethod: "PUT"]
        fields[.accessControlRequestHeaders] = headers
        return fields
    }

    @Test("TR-5: a preflight is 204 before routing, whatever it asks for; only a listed origin is told yes")
    func preflights() async throws {
        let responder = try self.responder(
            HTTPOptions(allowedOrigins: ["https://shop.example", "https://*.shop.example"], allowsCredentials: true))
        for origin in ["https://shop.example", "https://a.shop.example"] {
            let answer = await responder.respond(
                to: Self.request(.options, "/nowhere", Self.preflight(origin, headers: "X-Domestic, content-type")),
                peer: "192.0.2.1")
            #expect(answer.status == .noContent && answer.headers[.accessControlAllowOrigin] == origin)
            #expect(answer.headers[.accessControlAllowCredentials] == "true")
            #expect(
                answer.headers[.accessControlAllowMethods] == "PUT" && answer.headers[.accessControlMaxAge] == "600")
            #expect(answer.headers[.accessControlAllowHeaders] == "X-Domestic, content-type")
            #expect(answer.headers[.vary]?.contains("Origin") == true)
        }
        for origin in ["https://evil.example", "http://shop.example", "https://shop.example.evil.example", "null"] {
            let answer = await responder.respond(
                to: Self.request(.options, "/", Self.preflight(origin)), peer: "192.0.2.1")
            #expect(answer.status == .noContent && answer.headers[.accessControlAllowOrigin] == nil)
            #expect(answer.headers[.accessControlAllowMethods] == nil)
            #expect(answer.headers[.vary]?.contains("Origin") == true)
        }
        // The domain comes first (TR-1).
        let elsewhere = await responder.respond(
            to: Self.request(.options, "/", Self.preflight("https://shop.example"), host: "other.example"),
            peer: "192.0.2.1")
        #expect(elsewhere.status == .misdirectedRequest && elsewhere.headers[.accessControlAllowMethods] == nil)
        // OPTIONS that is no preflight is an action's.
        let options = await responder.respond(to: Self.request(.options), peer: "192.0.2.1")
        #expect(options.status == .ok && options.headers[.allow] == "GET, HEAD, OPTIONS")
    }

    @Test("TR-5: answers name a listed origin, with Vary, never *; without a list there is no CORS at all")
    func answers() async throws {
        let listed = try self.responder(HTTPOptions(allowedOrigins: ["https://shop.example"]))
        for path in ["/", "/nowhere"] {
            let answer = await listed.respond(
                to: Self.request(.get, path, [.origin: "https://shop.example"]), peer: "192.0.2.1")
            #expect(answer.headers[.accessControlAllowOrigin] == "https://shop.example")
            #expect(answer.headers[.accessControlAllowCredentials] == nil)
            #expect(answer.headers[.vary] == "Accept, Cookie, Origin")
        }
        let foreign = await listed.respond(
            to: Self.request(.get, "/", [.origin: "https://evil.example"]), peer: "192.0.2.1")
        #expect(foreign.headers[.accessControlAllowOrigin] == nil && foreign.headers[.vary] == "Accept, Cookie, Origin")
        let off = try self.responder(HTTPOptions())
        let answer = await off.respond(
            to: Self.request(.get, "/", [.origin: "https://shop.example"]), peer: "192.0.2.1")
        #expect(answer.headers[.accessControlAllowOrigin] == nil && answer.headers[.vary] == "Accept, Cookie")
    }

    @Test("AC-12, ND-12: a node that drains answers 503, and the connection ends with it")
    func draining() async throws {
        let answer = try await self.responder(HTTPOptions(), isLeaving: true).respond(
            to: Self.request(.get), peer: "192.0.2.1")
        #expect(answer.status == .serviceUnavailable && answer.headers[.retryAfter] == "1")
        #expect(answer.headers[.connection] == "close")
    }

    @Test("TR-5: a list that cannot be one is refused by name")
    func options() {
        #expect(HTTPOptions().complaint == nil)
        #expect(HTTPOptions(allowedOrigins: ["*"]).complaint?.contains("*") == true)
        #expect(HTTPOptions(allowedOrigins: ["shop.example"]).complaint != nil)
        #expect(HTTPOptions(allowsCredentials: true).complaint != nil)
        #expect(HTTPOptions(preflightLifespan: -1).complaint?.contains("preflightLifespan") == true)
    }

    @Test("AC-12, TR-2: 429 with Retry-After for one address beyond its rate, for it alone; no proxy is counted")
    func rate() async throws {
        var limits = LimitOptions()
        limits.actionsPerAddress = .init(perSecond: 1, burst: 3)
        let responder = try self.responder(HTTPOptions(), rate: ActionRate(limits))
        func status(_ peer: String, forwarded: String? = nil) async -> Response {
            var fields: HTTPFields = [:]
            if let forwarded { fields[HTTPField.Name("X-Forwarded-For")!] = forwarded }
            return await responder.respond(to: Self.request(.get, "/", fields), peer: peer)
        }
        // A second that passes meanwhile brings one request more.
        func refused(_ peer: String, forwarded: String? = nil) async -> Response? {
            for _ in 0..<100 {
                let answer = await status(peer, forwarded: forwarded)
                if answer.status != .ok { return answer }
            }
            return nil
        }
        for _ in 0..<3 { #expect(await status("192.0.2.1").status == .ok) }
        let refusal = try #require(await refused("192.0.2.1"))
        #expect(refusal.status == .tooManyRequests && refusal.headers[.retryAfter] == "1")
        #expect(await status("192.0.2.2").status == .ok)
        for _ in 0..<2 { #expect(await status("127.0.0.1", forwarded: "192.0.2.2").status == .ok) }
        #expect(await refused("127.0.0.1", forwarded: "192.0.2.2")?.status == .tooManyRequests)
        for _ in 0..<10 { #expect(await status("127.0.0.1").status == .ok) }
    }
}
