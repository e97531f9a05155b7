import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Node

/// An HTTP server of a test, on a free port, around one responder.
private enum NodeTestServer {
    static func run(
        _ responder: ActionResponder, _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let running = AsyncStream<Int>.makeStream()
        let server = Server(
            childChannelSetup: HTTP1Channel(responder: responder.handle),
            configuration: ServerConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { running.continuation.yield($0.localAddress?.port ?? 0) },
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            for await port in running.stream {
                do { try await body(port) } catch {
                    try await server.shutdownGracefully()
                    throw error
                }
                break
            }
            try await server.shutdownGracefully()
            try await group.waitForAll()
        }
    }
}

/// A connection that sends text and reads until the answers are there, or the end.
private struct NodeTestConnection {
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    static func with<R: Sendable>(
        _ port: Int,
        _ body:
            @escaping @Sendable (
                NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>
            ) async throws -> R
    ) async throws -> R {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { try await body($0, $1) }
    }

    /// Sends requests at once and reads up to `answers` of them, or to the end.
    static func exchange(_ port: Int, _ text: String, answers: Int) async throws -> (text: String, isEnded: Bool) {
        try await self.with(port) { inbound, outbound in
            do { try await outbound.write(ByteBuffer(string: text)) } catch {
                // The server may have ended the connection before it had everything.
            }
            var received = ""
            for try await part in inbound {
                received += String(buffer: part)
                let bodies = received.components(separatedBy: #""events":[]}"#).count - 1
                if bodies >= answers { return (received, false) }
            }
            return (received, true)
        }
    }
}

@Suite("Actions over HTTP", .timeLimit(.minutes(1)))
struct NodeHTTPTests {
    private let node: NodeTestIdentity
    private let responder: ActionResponder

    init() throws {
        var options = SessionOptions()
        options.insecureCookies = true
        let node = NodeTestIdentity(options)
        let router = try ActionRouter([
            Action(.post, "/login") { request, agent, reply in
                try await agent.setActive(user: try request.body(as: [String: String].self)["user"], client: "phone")
                reply.content(["hello": agent.user])
            },
            Action(.get, "/me") { request, agent, reply in
                reply.content(["user": agent.user, "address": request.address])
            },
            Action(.post, "/echo") { request, _, reply in
                if case .text(let text) = request.body { reply.content(["length": text.utf8.count]) }
            },
            Action(.get, "/page") { _, _, reply in reply.html("<p>é") },
            Action(.get, "/away") { _, _, reply in try reply.redirect("/é") },
            Action(.get, "/empty") { _, _, reply in reply.done(204) },
        ])
        let pool = node.pool
        self.node = node
        self.responder = ActionResponder(
            domains: .development, proxies: try ProxyTrust(), authority: node.authority,
            pipeline: ActionPipeline(
                router: router, options: options, submit: { pool.submit($0) },
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
            pages: [.demo()])
    }

    private func respond(
        _ method: HTTPRequest.Method, _ path: String, host: String? = "localhost", _ fields: HTTPFields = [:],
        body: String = "", peer: String = "127.0.0.1"
    ) async -> Response {
        var fields = fields
        if !body.isEmpty { fields[.contentLength] = String(body.utf8.count) }
        return await self.responder.respond(
            to: Request(
                head: HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: fields),
                body: RequestBody(buffer: ByteBuffer(string: body))), peer: peer)
    }

    @Test("TR-1, AC-12: no Host and a repeated one 400, a foreign one 421, before anything is read")
    func hosts() async {
        #expect(await self.respond(.get, "/me", host: nil).status == .badRequest)
        var twice = HTTPFields()
        twice.append(HTTPField(name: HTTPField.Name("Host")!, value: "localhost"))
        #expect(await self.respond(.get, "/me", twice).status == .badRequest)
        #expect(await self.respond(.get, "/me", host: "evil.example").status == .misdirectedRequest)
        #expect(await self.respond(.get, "/demo/", host: "evil.example").status == .misdirectedRequest)
        #expect(await self.respond(.get, "/me", host: "127.0.0.1:8081").status == .ok)
    }

    @Test("DESIGN §9: in development mode a page of the web reaches nothing, whatever it asks")
    func foreign() async {
        for origin in ["https://evil.example", "null"] {
            #expect(await self.respond(.get, "/me", [.origin: origin]).status == .forbidden)
            #expect(await self.respond(.get, "/demo/", [.origin: origin]).status == .forbidden)
        }
        #expect(await self.respond(.get, "/me", [.origin: "http://localhost:3000"]).status == .ok)
        #expect(!DomainTable.conformance.isRefused(.foreign))
    }

    @Test("AC-8: headers of a JSON answer")
    func headers() async {
        let response = await self.respond(.get, "/me")
        #expect(response.headers[.contentType] == "application/json")
        #expect(response.headers[.cacheControl] == "no-store")
        #expect(response.headers[.xContentTypeOptions] == "nosniff")
        #expect(response.headers[.date]?.hasSuffix(" GMT") == true)
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test("AC-7, AC-8, AC-2: pages, redirects, answers without body, HEAD")
    func forms() async {
        let page = await self.respond(.get, "/page", [.accept: "text/html"])
        #expect(page.headers[.contentType] == "text/html; charset=utf-8")
        #expect(page.headers[.contentSecurityPolicy] == "frame-ancestors 'none'")
        #expect(await self.respond(.get, "/page").headers[.contentType] == "application/json")
        let away = await self.respond(.get, "/away")
        #expect(away.status == .found && away.headers[.location] == "/%C3%A9")
        let empty = await self.respond(.get, "/empty")
        #expect(empty.status == .noContent && empty.headers[.contentType] == nil)
        let head = await self.respond(.head, "/me")
        let get = await self.respond(.get, "/me")
        #expect(head.status == .ok && head.body.contentLength == 0)
        #expect(head.headers[.contentLength] == get.headers[.contentLength])
        let wrong = await self.respond(.put, "/me")
        #expect(wrong.status == .methodNotAllowed && wrong.headers[.allow] == "GET, HEAD, OPTIONS")
    }

    @Test("ND-13: a store that is away is 503 for those with a session, and nothing for others")
    func storeAway() async throws {
        let value = try #require(try await self.node.login(domain: "localhost").first).value
        self.node.store.fail("find", 1)
        let response = await self.respond(.get, "/me", [.cookie: "session=\(value)"])
        #expect(response.status == .serviceUnavailable && response.headers[.retryAfter] == "1")
        #expect(await self.respond(.get, "/me").status == .ok)
    }

    @Test("ID-10, TR-2: a login over a real connection, its cookies, and who it is afterwards")
    func live() async throws {
        try await NodeTestServer.run(self.responder) { port in
            let body = #"{"user":"alice"}"#
            let login = try await NodeTestConnection.exchange(
                port,
                "POST /login HTTP/1.1\r\nHost: localhost:\(port)\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)", answers: 1)
            #expect(login.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(login.text.hasSuffix(#"{"content":{"hello":"alice"},"events":[]}"#))
            let session = try #require(
                login.text.firstMatch(of: /Set-Cookie: (session=[^;]+); Path=\/; HttpOnly; SameSite=Lax\r\n/))
            #expect(login.text.contains(/Set-Cookie: domestic=[^;]+; Path=\/; SameSite=Strict\r\n/))
            let get =
                "GET /me HTTP/1.1\r\nHost: localhost\r\nCookie: \(session.output.1)\r\n"
                + "X-Forwarded-For: 192.0.2.9\r\n\r\n"
            let me = try await NodeTestConnection.exchange(port, get + get, answers: 2)
            #expect(
                me.text.components(separatedBy: #"{"content":{"address":"192.0.2.9","user":"alice"},"events":[]}"#)
                    .count == 3)
            #expect(!me.text.contains("Set-Cookie"))
        }
    }

    @Test("AC-5: a body a little too long is 413 and the connection goes on; one far too long ends it")
    func tooLong() async throws {
        try await NodeTestServer.run(self.responder) { port in
            func post(_ length: Int, sent: Int? = nil) -> String {
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                    + "Content-Length: \(length)\r\n\r\n"
                    + String(repeating: "x", count: sent ?? length)
            }
            let short = try await NodeTestConnection.exchange(port, post(50_000) + post(40_960), answers: 2)
            #expect(
                short.text.contains("HTTP/1.1 413 ")
                    && short.text.hasSuffix(#"{"content":{"length":40960},"events":[]}"#))
            let long = try await NodeTestConnection.exchange(port, post(1 << 30, sent: 400_000), answers: .max)
            #expect(long.text.hasPrefix("HTTP/1.1 413 ") && long.text.lowercased().contains("connection: close"))
            #expect(long.isEnded)
            let unrouted = try await NodeTestConnection.exchange(
                port, post(10_000).replacingOccurrences(of: "/echo", with: "/none") + post(1), answers: 2)
            #expect(unrouted.text.contains("HTTP/1.1 404 ") && unrouted.text.contains("HTTP/1.1 200 "))
            let chunked = try await NodeTestConnection.exchange(
                port,
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n"
                    + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", answers: 1)
            #expect(chunked.text.hasSuffix(#"{"content":{"length":5},"events":[]}"#))
        }
    }

    @Test("AC-12: a body that does not come is 408, and the connection ends")
    func slow() async throws {
        let responder = ActionResponder(
            domains: .development, proxies: try ProxyTrust(), authority: self.node.authority,
            pipeline: ActionPipeline(
                router: try ActionRouter([Action(.post, "/echo") { _, _, _ in }]),
                submit: { [node] in node.pool.submit($0) },
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
            sleep: { _ in })
        try await NodeTestServer.run(responder) { port in
            let answer = try await NodeTestConnection.exchange(
                port,
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc",
                answers: .max)
            #expect(answer.text.hasPrefix("HTTP/1.1 408 ") && answer.isEnded)
        }
    }
}

@Suite("Pages in the binary")
struct NodePageTests {
    private let pages = StaticPages(
        prefix: "/demo/", files: ["index.html": Array("<p>".utf8), "a.js": Array("1".utf8)])

    private func response(
        _ method: HTTPRequest.Method, _ path: String, _ fields: [(name: String, value: String)] = []
    ) -> Response? {
        self.pages.response(method, path, HeaderList(fields))
    }

    @Test("DESIGN §7: strict policy, no frame, no sniffing, on every page")
    func policy() throws {
        let page = try #require(self.response(.get, "/demo/"))
        #expect(page.status == .ok && page.headers[.contentType] == "text/html; charset=utf-8")
        let policy = try #require(page.headers[.contentSecurityPolicy])
        #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'"))
        #expect(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
        #expect(page.headers[.xContentTypeOptions] == "nosniff" && page.headers[.xFrameOptions] == "DENY")
        #expect(self.response(.get, "/demo/a.js")?.headers[.contentType] == "text/javascript; charset=utf-8")
    }

    @Test("Pages are told apart by a tag, and not sent twice")
    func tags() throws {
        let tag = try #require(self.response(.get, "/demo/index.html")?.headers[.eTag])
        #expect(self.response(.get, "/demo/a.js")?.headers[.eTag] != tag)
        for value in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
            let page = try #require(self.response(.get, "/demo/", [("If-None-Match", value)]))
            #expect(page.status == .notModified && page.body.contentLength == 0)
        }
        #expect(self.response(.get, "/demo/", [("If-None-Match", "\"x\"")])?.status == .ok)
    }

    @Test("Only what is there is served, and only to GET and HEAD")
    func paths() throws {
        #expect(self.response(.get, "/demo")?.headers[.location] == "/demo/")
        for path in ["/", "/demo/../a.js", "/demo/x", "/demo/a.js/", "/demo//a.js", "/demox/"] {
            #expect(self.response(.get, path) == nil)
        }
        #expect(self.response(.post, "/demo/")?.status == .methodNotAllowed)
        let head = try #require(self.response(.head, "/demo/"))
        #expect(head.body.contentLength == 0 && head.headers[.contentLength] == "3")
    }

    @Test("The module in the binary is Client/submergence.js, with its types; it stands between no other paths")
    func clientModule() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../Client").standardizedFileURL
        let pages = StaticPages.clientModule()
        let none = HeaderList([(name: "A", value: "b")])
        for (name, type) in [
            ("submergence.js", "text/javascript; charset=utf-8"), ("submergence.d.ts", "text/plain; charset=utf-8"),
        ] {
            let length = try Data(contentsOf: folder.appendingPathComponent(name)).count
            let answer = try #require(pages.response(.get, "/\(name)", none))
            #expect(answer.headers[.contentType] == type)
            #expect(answer.body.contentLength == length)
            #expect(answer.headers[.cacheControl] == "no-cache")
        }
        for path in ["/", "/index.html", "/submergence", "/x/submergence.js"] {
            #expect(pages.response(.get, path, none) == nil)
        }
    }

    @Test("The demo in the binary is Client/demo, file by file")
    func embedded() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../Client/demo").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(StaticPages.demo().names == Set(names))
        let index = try #require(StaticPages.demo().response(.get, "/demo/", HeaderList([(name: "A", value: "b")])))
        let size = try Data(contentsOf: folder.appendingPathComponent("index.html")).count
        #expect(index.body.contentLength == size)
    }
}
