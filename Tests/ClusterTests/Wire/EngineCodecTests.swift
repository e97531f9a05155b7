import NIOCore
import Testing

@testable import Wire

@Suite struct WireEngineCodecTests {
    private func payload(_ body: [UInt8], maxPackets: Int = 16_384) -> [String] {
        let scratch = ScratchBuffer(idleCapacity: 64)
        var found: [String] = []
        body.withUnsafeBytes { bytes in
            var decoder = EnginePayloadDecoder(bytes, maxPackets: maxPackets)
            while let packet = decoder.next(scratch: scratch) {
                switch packet {
                case .packet(let type, let payload): found.append("\(type) \(WireFixture.string(payload))")
                case .binary(let bytes): found.append("binary \(Array(bytes))")
                case .invalid: found.append("invalid")
                }
            }
        }
        return found
    }

    private func payload(_ body: String) -> [String] { self.payload(Array(body.utf8)) }

    @Test("SOCKETIO §3.2: payloads are taken apart in order")
    func payloads() {
        #expect(self.payload("4hello") == ["message hello"])
        #expect(self.payload("4test1\u{1E}4test2\u{1E}4test3") == ["message test1", "message test2", "message test3"])
        #expect(self.payload("4hello\u{1E}bAQIDBA==") == ["message hello", "binary [1, 2, 3, 4]"])
        #expect(self.payload("b") == ["binary []"])
        #expect(self.payload("2probe\u{1E}3\u{1E}1\u{1E}4é") == ["ping probe", "pong ", "close ", "message é"])
    }

    @Test(
        "SOCKETIO §3.2: decoding stops at the first invalid packet; those before it count",
        arguments: [
            "", "abc", "\u{1E}4x", "4x\u{1E}", "4x\u{1E}\u{1E}4y", "4x\u{1E}7\u{1E}4y", "4x\u{1E}bAQID=\u{1E}4y",
            "4x\u{1E}bAQ\u{1E}4y", "4x\u{1E}bAQI-\u{1E}4y", "4x\u{1E}bAR==\u{1E}4y", "4x\u{1E}b====\u{1E}4y",
            "4x\u{1E}bA===\u{1E}4y", "4x\u{1E}bAQ=I\u{1E}4y", "4x\u{1E}b AQID\u{1E}4y",
        ])
    func invalidPayloads(body: String) {
        #expect(self.payload(body) == (body.hasPrefix("4x") ? ["message x", "invalid"] : ["invalid"]))
    }

    @Test("SOCKETIO §3.2: text that is not UTF-8 is invalid")
    func invalidUTF8() {
        #expect(self.payload([0x34, 0x61, 0x1E, 0x34, 0xFF]) == ["message a", "invalid"])
    }

    @Test("SOCKETIO §18: at most so many packets in a payload")
    func packetLimit() {
        let body = Array("4\u{1E}4\u{1E}4".utf8)
        #expect(self.payload(body, maxPackets: 3).last == "message ")
        #expect(self.payload(body, maxPackets: 2) == ["message ", "message ", "invalid"])
        let many = Array(String(repeating: "3\u{1E}", count: 16_384).dropLast().utf8)
        #expect(self.payload(many).count == 16_384)
        #expect(self.payload(many + Array("\u{1E}3".utf8)).last == "invalid")
    }

    @Test("SOCKETIO §3.1: packets of WebSocket messages")
    func packets() {
        let scratch = ScratchBuffer(idleCapacity: 64)
        func parse(_ text: String) -> String {
            WireFixture.withBytes(text) { bytes in
                switch EnginePacket.parse(text: bytes, scratch: scratch) {
                case .packet(let type, let payload): "\(type) \(EnginePacket.isProbe(payload))"
                case .binary(let bytes): "binary \(Array(bytes))"
                case .invalid: "invalid"
                }
            }
        }
        #expect(parse("2probe") == "ping true")
        #expect(parse("2") == "ping false")
        #expect(parse("2probes") == "ping false")
        #expect(parse("bAQ==") == "binary [1]")
        for text in ["", "abc", "7", "x", "b!", "bAQ"] { #expect(parse(text) == "invalid", "\(text)") }
    }

    @Test("Base64 text that lies in the scratch buffer is decoded there")
    func base64InPlace() {
        let bytes = (0..<200).map { UInt8($0) }
        let encoded = WireFixture.written { buffer in
            buffer.writeString("b")
            bytes.withUnsafeBytes { Base64.encode($0, into: &buffer) }
        }
        let frame = WireFixture.clientFrame(opcode: 1, Array(encoded.readableBytesView))
        let scratch = ScratchBuffer(idleCapacity: 16)
        var decoder = WebSocketDecoder()
        frame.withUnsafeBytes { frame in
            var offset = 0
            guard case .text(let text) = decoder.next(in: frame, at: &offset, scratch: scratch, limits: .init()),
                case .binary(let decoded) = EnginePacket.parse(text: text, scratch: scratch)
            else {
                Issue.record("a binary message")
                return
            }
            #expect(Array(decoded) == bytes)
        }
    }

    @Test("Base64 round trips, and only canonical text decodes", arguments: UInt64(1)...10)
    func base64(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        let scratch = ScratchBuffer(idleCapacity: 16)
        for count in 0..<70 {
            let bytes = generator.bytes(count)
            let text = WireFixture.written { buffer in
                bytes.withUnsafeBytes { Base64.encode($0, into: &buffer) }
            }
            #expect(text.readableBytes == Base64.encodedCount(count))
            let decoded = text.withUnsafeReadableBytes { Base64.decode($0, scratch: scratch).map { Array($0) } }
            #expect(decoded == bytes, "seed \(seed)")
            // Random text: whatever decodes must encode to the same text again.
            let junk = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                Array("AB/+=w_-".utf8).randomElement(using: &generator)!
            }
            let back = junk.withUnsafeBytes { Base64.decode($0, scratch: scratch).map { Array($0) } }
            if let back {
                let again = WireFixture.written { buffer in
                    back.withUnsafeBytes { Base64.encode($0, into: &buffer) }
                }
                #expect(Array(again.readableBytesView) == junk, "seed \(seed)")
            }
        }
    }

    @Test("SOCKETIO §4: the open packet has exactly five keys")
    func open() {
        func open(_ transport: EngineTransport, _ options: EngineOptions) -> String {
            WireFixture.string(
                WireFixture.written {
                    EngineHandshake.writeOpen(sid: "-klJXN3Vn", transport: transport, options: options, into: &$0)
                })
        }
        let conformance = EngineOptions(pingInterval: .milliseconds(300), pingTimeout: .milliseconds(200))
        let tail = "\"pingInterval\":300,\"pingTimeout\":200,\"maxPayload\":1000000}"
        #expect(open(.polling, conformance) == "0{\"sid\":\"-klJXN3Vn\",\"upgrades\":[\"websocket\"],\(tail)")
        #expect(open(.websocket, conformance) == "0{\"sid\":\"-klJXN3Vn\",\"upgrades\":[],\(tail)")
        #expect(open(.polling, EngineOptions(allowsUpgrades: false)).contains("\"upgrades\":[],\"pingInterval\":10000"))
    }

    @Test("SOCKETIO §2.4: codes, texts, statuses and bodies")
    func errors() {
        let bodies = EngineErrorCode.allCases.map { code in
            "\(code.status) " + WireFixture.string(WireFixture.written { code.writeBody(into: &$0) })
        }
        #expect(
            bodies == [
                "400 {\"code\":0,\"message\":\"Transport unknown\"}",
                "400 {\"code\":1,\"message\":\"Session ID unknown\"}",
                "400 {\"code\":2,\"message\":\"Bad handshake method\"}", "400 {\"code\":3,\"message\":\"Bad request\"}",
                "403 {\"code\":4,\"message\":\"Forbidden\"}",
                "400 {\"code\":5,\"message\":\"Unsupported protocol version\"}",
            ])
        let hook = WireFixture.written { EngineErrorCode.forbidden.writeBody(message: "no \"you\"", into: &$0) }
        #expect(WireFixture.string(hook) == "{\"code\":4,\"message\":\"no \\\"you\\\"\"}")
    }

    @Test("SOCKETIO §8.2, §14.2: reasons have the official texts, and say whether one may recover")
    func reasons() {
        #expect(
            CloseReason.allCases.map(\.text) == [
                "ping timeout", "transport close", "transport error", "parse error", "forced close",
                "forced server close",
                "server shutting down", "client namespace disconnect", "server namespace disconnect", "slow consumer",
                "rate limited",
            ])
        #expect(
            CloseReason.allCases.filter(\.isRecoverable) == [
                .pingTimeout, .transportClose, .transportError, .forcedClose, .forcedServerClose, .serverShuttingDown,
            ])
    }

    @Test("SOCKETIO §5.3, §10.2: a queue becomes one payload, attachments behind their packets")
    func queue() {
        var queue = PollingQueue()
        #expect(queue.isEmpty)
        let packet = OutboundPacket(
            text: ByteBuffer(string: "51-[\"x\"]"), attachments: [ByteBuffer(bytes: [1, 2, 3])])
        queue.append(.ping)
        #expect(queue.append(packet, limit: 1_000) == true)
        #expect(queue.append(OutboundPacket(text: ByteBuffer(string: "2[\"y\"]")), limit: 1_000) == true)
        #expect(queue.append(binary: ByteBuffer(bytes: [4]), limit: 1_000) == true)
        #expect(queue.cost == 8 + 3 + 128 + 6 + 64 + 1 + 64)
        var copy = queue
        let payload = WireFixture.written { queue.takePayload(into: &$0) }
        #expect(WireFixture.string(payload) == "2\u{1E}451-[\"x\"]\u{1E}bAQID\u{1E}42[\"y\"]\u{1E}bBA==")
        #expect(queue.isEmpty)
        #expect(queue.cost == 0)
        #expect(WireFixture.string(WireFixture.written { queue.takePayload(last: .close, into: &$0) }) == "1")
        queue.append(.ping)
        #expect(WireFixture.string(WireFixture.written { queue.takePayload(last: .close, into: &$0) }) == "2\u{1E}1")
        // SOCKETIO §7.5: after an upgrade the same goes out as frames.
        copy.append(.noop)
        let frames = WireFixture.written { copy.takeFrames(into: &$0) }
        #expect(
            WireFixture.decode(Array(frames.readableBytesView), limits: .init(expectsMask: false)) == [
                .text("2"), .text("451-[\"x\"]"), .binary([1, 2, 3]), .text("42[\"y\"]"), .binary([4]),
            ])
        #expect(copy.isEmpty)
    }

    @Test("SPEC EV-4: the queue is bounded, and a packet that does not fit leaves it as it was")
    func queueLimit() {
        var queue = PollingQueue()
        let packet = OutboundPacket(text: ByteBuffer(string: "2[\"x\"]"))
        let limit = 10 * (6 + PollingQueue.packetOverhead)
        for _ in 0..<10 { #expect(queue.append(packet, limit: limit) == true) }
        #expect(queue.append(packet, limit: limit) == false)
        #expect(queue.append(binary: ByteBuffer(), limit: limit) == false)
        #expect(queue.cost == limit)
        let payload = WireFixture.written { queue.takePayload(into: &$0) }
        #expect(self.payload(Array(payload.readableBytesView)).count == 10)
        #expect(queue.append(packet, limit: limit) == true)
    }
}
