import HTTPTypes
import HummingbirdCore
import Logging
import Metrics
import NIOCore
import Synchronization
import Testing

@testable import Node

@Suite("OP-2: the control listener")
struct NodeControlTests {
    private static func request(
        _ path: String, method: HTTPRequest.Method = .get, host: String? = "127.0.0.1:9080", key: String? = nil
    ) -> Request {
        let fields: HTTPFields = key.map { [.authorization: "Bearer \($0)"] } ?? [:]
        return Request(
            head: HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: fields),
            body: RequestBody(buffer: ByteBuffer()))
    }

    private static func responder(
        host: String, keys: [ControlKey]? = nil, metrics: (@Sendable () -> String)? = nil,
        unreadiness: @escaping @Sendable () -> [String] = { [] }
    ) throws -> ControlResponder {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let keyring = ControlKeyring(keys, logger: logger)
        let sessions = DashboardSessions()
        let access = ControlAccess(keyring, sessions: sessions)
        let audit = AuditLog(capacity: 10, logger: logger)
        let actions = ControlActions(
            access, station: { nil }, audit: audit, streams: ControlStreams(limit: 1)
        ).all
        let router = try ActionRouter(actions.map(\.action))
        let pipeline = ActionPipeline(
            router: router,
            submit: { work in
                Task { await work() }
                return true
            }, logger: logger)
        return try ControlResponder(
            host: host, keyring: keyring, access: access,
            dashboard: Dashboard(
                keyring: keyring, access: access, sessions: sessions, audit: audit, domains: ["app.example"]),
            proxies: try ProxyTrust(), rates: ControlRates(perSecond: 0, burst: 1), metrics: metrics,
            unreadiness: unreadiness, api: pipeline,
            document: .controlAPI(actions, router))
    }

    @Test("OP-2: live always, ready unless somebody has a reason")
    func health() async throws {
        let reasons = Mutex<[String]>([])
        let state = Shared(reasons: reasons)
        let control = try Self.responder(
            host: "127.0.0.1", metrics: { "m 1\n" }, unreadiness: { state.reasons.withLock { $0 } })
        #expect(await control.respond(to: Self.request("/.well-known/submergence/live")).status == .ok)
        #expect(await control.respond(to: Self.request("/.well-known/submergence/ready")).status == .ok)
        state.reasons.withLock { $0 = ["the bus is degraded"] }
        #expect(await control.respond(to: Self.request("/.well-known/submergence/live")).status == .ok)
        let ready = await control.respond(to: Self.request("/.well-known/submergence/ready?x"))
        #expect(
            ready.status == .serviceUnavailable
                && ready.body.contentLength == "not ready: the bus is degraded\n".utf8.count)
        let metrics = await control.respond(to: Self.request("/metrics"))
        #expect(metrics.status == .ok && metrics.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(await control.respond(to: Self.request("/metrics", method: .post)).status == .methodNotAllowed)
        #expect(await control.respond(to: Self.request("/metrics", method: .head)).headers[.contentLength] == "4")
        #expect(await control.respond(to: Self.request("/")).status == .notFound)
        let bare = try Self.responder(host: "::1")
        #expect(await bare.respond(to: Self.request("/metrics")).status == .notFound)
    }

    private final class Shared: Sendable {
        let reasons: Mutex<[String]>
        init(reasons: consuming sending Mutex<[String]>) { self.reasons = reasons }
    }

    @Test(
        "DESIGN §7: without a key it stays on loopback",
        arguments: ["0.0.0.0", "::", "192.0.2.1", "example.org", "", "*"])
    func loopback(host: String) {
        #expect(throws: ControlResponder.Unprotected(host: host)) { try Self.responder(host: host) }
    }

    @Test("RM-1: with keys it may be anywhere, and metrics ask for one; health does not")
    func keyed() async throws {
        let (key, secret) = try #require(ControlKey.make(name: "scraper", domain: nil, scopes: [.metrics]))
        let (other, wrong) = try #require(ControlKey.make(name: "sender", domain: nil, scopes: [.send]))
        let control = try Self.responder(host: "0.0.0.0", keys: [key, other], metrics: { "m 1\n" })
        #expect(await control.respond(to: Self.request("/.well-known/submergence/live", host: "any")).status == .ok)
        for (secret, status) in [(nil, HTTPResponse.Status.unauthorized), (wrong, .unauthorized), (secret, .ok)] {
            let request = Self.request("/metrics", host: "any", key: secret)
            #expect(await control.respond(to: request).status == status)
        }
    }

    @Test("RM-1: the API without a key, with a wrong one, with one of another scope")
    func scopes() async throws {
        let (key, secret) = try #require(ControlKey.make(name: "status", domain: nil, scopes: [.status]))
        let control = try Self.responder(host: "127.0.0.1", keys: [key])
        // The station is not running, so the one with the right key is told that.
        let cases: [(secret: String?, path: String, status: HTTPResponse.Status)] = [
            (nil, "/v1/status", .unauthorized), ("smk_x", "/v1/status", .unauthorized),
            (secret, "/v1/status", .serviceUnavailable), (secret, "/v1/nothing", .notFound),
        ]
        for (secret, path, status) in cases {
            #expect(await control.respond(to: Self.request(path, key: secret)).status == status, "\(path)")
        }
    }

    @Test(
        "DESIGN §7: a page whose name resolves to loopback gets nothing",
        arguments: ["evil.example", nil, "127.0.0.1.evil.example"])
    func rebinding(host: String?) async throws {
        let control = try Self.responder(host: "localhost", metrics: { "m 1\n" })
        #expect(await control.respond(to: Self.request("/metrics", host: host)).status == .misdirectedRequest)
    }
}

@Suite("OP-2: metrics in the Prometheus text format")
struct NodeMetricsTests {
    private let registry = PrometheusMetricsFactory()

    private var lines: [String] { self.registry.text().split(separator: "\n").map(String.init) }

    @Test("OP-2: counters, gauges, meters")
    func plain() {
        let counter = Counter(label: "requests", dimensions: [("b", "2"), ("a", "1")], factory: self.registry)
        counter.increment(by: 41)
        Counter(label: "requests", dimensions: [("a", "1"), ("b", "2")], factory: self.registry).increment()
        Counter(label: "reaps_total", factory: self.registry).increment()
        FloatingPointCounter(label: "bytes.sent", factory: self.registry).increment(by: 1.5)
        let gauge = Gauge(label: "connections", factory: self.registry)
        gauge.record(7)
        gauge.record(3)
        let meter = Meter(label: "lag", factory: self.registry)
        meter.set(2)
        meter.increment(by: 0.5)
        meter.decrement(by: 1)
        let lines = self.lines
        for line in [
            "# TYPE requests_total counter", #"requests_total{a="1",b="2"} 42"#, "reaps_total 1",
            "# TYPE bytes_sent_total counter",
            "bytes_sent_total 1.5", "# TYPE connections gauge", "connections 3", "lag 1.5",
        ] {
            #expect(lines.filter { $0 == line }.count == 1, "\(line)")
        }
    }

    @Test("OP-2: timers and recorders are histograms with cumulative buckets")
    func histograms() {
        let timer = Timer(label: "bus_latency", dimensions: [("home", "0")], factory: self.registry)
        timer.recordMilliseconds(2)
        timer.recordMilliseconds(40)
        timer.recordSeconds(100)
        Recorder(label: "batch", factory: self.registry).record(16)
        let lines = self.lines
        for line in [
            "# TYPE bus_latency_seconds histogram", #"bus_latency_seconds_bucket{home="0",le="0.001"} 0"#,
            #"bus_latency_seconds_bucket{home="0",le="0.0025"} 1"#,
            #"bus_latency_seconds_bucket{home="0",le="0.05"} 2"#,
            #"bus_latency_seconds_bucket{home="0",le="30"} 2"#, #"bus_latency_seconds_bucket{home="0",le="+Inf"} 3"#,
            #"bus_latency_seconds_sum{home="0"} 100.042"#, #"bus_latency_seconds_count{home="0"} 3"#,
            #"batch_bucket{le="4"} 0"#, #"batch_bucket{le="16"} 1"#, "batch_sum 16", "batch_count 1",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test("OP-2: names and label values cannot break the page")
    func escaping() {
        Gauge(label: "9 bad-näme{}", dimensions: [("a-b", "x\"y\\z\nw")], factory: self.registry).record(1)
        #expect(self.lines.contains(#"_9_bad_n__me__{a_b="x\"y\\z\nw"} 1"#))
    }

    @Test("OP-5: series are bounded, and what is refused is counted")
    func bounded() {
        let registry = PrometheusMetricsFactory(maximumSeries: 3)
        for index in 0..<10 { Counter(label: "c", dimensions: [("i", "\(index)")], factory: registry).increment() }
        Gauge(label: "c_total", factory: registry).record(1)
        let page = registry.text()
        #expect(page.contains("c_total{i=\"2\"} 1\n") && !page.contains("c_total{i=\"3\"}") && !page.contains("gauge"))
        #expect(page.hasSuffix("submergence_metrics_refused_total 8\n"))
    }

    @Test("OP-2: no count is lost under contention")
    func contention() async {
        let counter = Counter(label: "c", factory: self.registry)
        let meter = Meter(label: "m", factory: self.registry)
        let timer = Timer(label: "t", factory: self.registry)
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        counter.increment()
                        meter.increment(by: 1)
                        timer.recordNanoseconds(1)
                    }
                }
            }
        }
        let lines = self.lines
        #expect(lines.contains("c_total 8000") && lines.contains("m 8000") && lines.contains("t_seconds_count 8000"))
    }
}
