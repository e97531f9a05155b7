import NIOCore
import Testing
import Wire

@testable import Server

/// Payloads, receipts, pace, upgrade and addresses of the load client.
@Suite struct LoadValueTests {
    @Test("A payload survives its way, also where a server writes the JSON anew")
    func payload() {
        let payload = LoadPayload(stream: 3, number: 1_000_000, due: 18_446_744_073_709_551_615)
        var buffer = ByteBuffer()
        payload.write(padding: 4, into: &buffer)
        #expect(String(buffer: buffer) == #"[3,1000000,18446744073709551615,"xxxx"]"#)
        #expect(buffer.withUnsafeReadableBytes { LoadPayload($0) } == payload)
        let spaced = ByteBuffer(string: #"[3, 1000000, 18446744073709551615, "xxxx"]"#)
        #expect(spaced.withUnsafeReadableBytes { LoadPayload($0) } == payload)
    }

    @Test("Other payloads are not taken for ours", arguments: ["1", "[]", "[1,2]", #"["1",2,3]"#, "[1,-2,3]", "[1,2,"])
    func otherPayload(json: String) {
        #expect(ByteBuffer(string: json).withUnsafeReadableBytes { LoadPayload($0) } == nil)
    }

    @Test("Decimal digits", arguments: [0, 9, 10, 99, 100, 12_345, UInt64.max, 10_000_000_000_000_000_000])
    func decimal(value: UInt64) {
        var buffer = ByteBuffer()
        buffer.writeDecimal(value)
        #expect(String(buffer: buffer) == String(value))
    }

    @Test(
        "What a receipt promises (SPEC EV-2)",
        arguments: [
            (#"[{"didReceive":true,"local":1,"nodes":0,"isComplete":true}]"#, PublishLog.Fate.promised),
            (#"[{"didReceive":false,"local":0,"nodes":0,"isComplete":true}]"#, .absent),
            (#"[{"didReceive":false,"stored":true,"isComplete":true}]"#, .promised),
            (#"[{"didReceive":false,"stored":2}]"#, .promised),
            (#"[{"didReceive":true,"local":1,"nodes":0,"isComplete":false}]"#, .incomplete),
            (#"[{"error":"SIZE"}]"#, .incomplete),
            ("[]", .promised), ("[true]", .promised),
        ])
    func receipt(json: String, fate: PublishLog.Fate) {
        #expect(ByteBuffer(string: json).withUnsafeReadableBytes { ReceiptReader.fate(of: $0) } == fate)
    }

    @Test("Events are due on schedule, whatever the calls do, and not beyond the end")
    func pace() {
        var pacer = Pacer(rate: 1000, start: 10_000, end: 13_000)
        #expect(pacer.next(at: 9_999) == nil)
        #expect(pacer.next(at: 10_500) == 10_000)
        #expect(pacer.next(at: 10_500) == nil)
        #expect(pacer.next(at: 50_000) == 11_000)
        #expect(pacer.next(at: 50_000) == 12_000)
        #expect(pacer.next(at: 50_000) == nil)
        #expect(pacer.maxLag == 39_000)
    }

    @Test("The upgrade is accepted with the right key only (RFC 6455 §4.1)")
    func upgrade() {
        var exchange = UpgradeExchange()
        let request = String(
            buffer: exchange.request(authority: "host:1", requestTarget: "/socket.io/?EIO=4", seed: 7))
        #expect(request.hasPrefix("GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: host:1\r\n"))
        #expect(request.hasSuffix("\r\n\r\n"))
        var wrong = ByteBuffer(string: "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: abc\r\n\r\n")
        #expect(exchange.response(&wrong) == .malformed)
        var refused = ByteBuffer(string: "HTTP/1.1 503 Busy\r\n\r\n")
        #expect(exchange.response(&refused) == .refused(status: 503))
        var partial = ByteBuffer(string: "HTTP/1.1 101 Switching")
        #expect(exchange.response(&partial) == .incomplete)
        #expect(partial.readableBytes == 22)
        var garbage = ByteBuffer(string: "SSH-2.0\r\n\r\n")
        #expect(exchange.response(&garbage) == .malformed)
    }

    @Test("What follows the upgrade's head stays in the buffer")
    func upgradeRest() {
        var exchange = UpgradeExchange()
        let request = String(buffer: exchange.request(authority: "h", requestTarget: "/", seed: 7))
        // The key of a seed does not change, and so the answer does not either.
        #expect(request.contains("Sec-WebSocket-Key: "))
        var head = ByteBuffer(string: "HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest")
        #expect(exchange.response(&head) == .refused(status: 200))
        #expect(String(buffer: head) == "rest")
    }

    @Test("URLs: port, path and scheme")
    func targets() throws {
        let plain = try LoadTarget("http://127.0.0.1:3000")
        #expect(plain.authority == "127.0.0.1:3000")
        #expect(plain.requestTarget == "/socket.io/?EIO=4&transport=websocket")
        let custom = try LoadTarget("ws://127.0.0.1/chat/")
        #expect(custom.authority == "127.0.0.1")
        #expect(custom.address.port == 80)
        #expect(custom.requestTarget == "/chat/?EIO=4&transport=websocket")
        for url in ["https://127.0.0.1", "127.0.0.1:3000", "http://", "ftp://x"] {
            #expect(throws: LoadTarget.Failure.self) { try LoadTarget(url) }
        }
    }

    @Test("Resident memory is read from the process status")
    func memory() {
        #expect(ProcessMemory.resident(in: "Name:\tx\nVmRSS:\t   12345 kB\nThreads:\t2\n") == 12_345)
        #expect(ProcessMemory.resident(in: "Name:\tx\n") == nil)
    }

    @Test("Counters of a node that grew, by series; gauges and others do not count")
    func counters() {
        let page = """
            HTTP/1.1 200 OK\r
            \r
            # TYPE submergence_live_connects_total counter
            submergence_live_connects_total 5
            submergence_live_disconnects_total{reason="slow"} 2
            submergence_live_connections 7
            submergence_bus_gaps_total 3

            """
        let counters = MetricsProbe.counters(in: page)
        let expected = [
            "submergence_live_connects_total": 5.0, #"submergence_live_disconnects_total{reason="slow"}"#: 2,
        ]
        #expect(counters == expected)
        #expect(MetricsProbe.growth(from: ["submergence_live_connects_total": 5], to: counters).count == 1)
    }
}
