import NIOCore
import Testing

@testable import Wire

@Suite struct WireOutboundPacketTests {
    private func text(_ packet: OutboundPacket) -> String { WireFixture.string(packet.text) }

    @Test("SOCKETIO §10.1: packets are written as in the examples")
    func examples() throws {
        #expect(self.text(.connect(sid: "dwdyulyi90-3h1CYAAAA")) == "0{\"sid\":\"dwdyulyi90-3h1CYAAAA\"}")
        #expect(self.text(.connect(sid: "a", namespace: "/custom")) == "0/custom,{\"sid\":\"a\"}")
        #expect(
            self.text(.connectError(message: "Invalid namespace", namespace: "/random"))
                == "4/random,{\"message\":\"Invalid namespace\"}")
        #expect(
            self.text(
                .connectError(message: "not authorized", data: ByteBuffer(string: "{\"code\":7}"), namespace: "/deny"))
                == "4/deny,{\"message\":\"not authorized\",\"data\":{\"code\":7}}")
        #expect(self.text(.disconnect()) == "1")
        #expect(self.text(.disconnect(namespace: "/custom")) == "1/custom,")
        #expect(
            try self.text(.event("message", [.json("1"), .string("2"), .json("{\"3\":[true]}")]))
                == "2[\"message\",1,\"2\",{\"3\":[true]}]")
        #expect(try self.text(.event("foo", ackID: 13, namespace: "/admin")) == "2/admin,13[\"foo\"]")
        #expect(try self.text(.ack(id: 456, [.json("1"), .string("2")])) == "3456[1,\"2\"]")
        #expect(try self.text(.ack(id: 0)) == "30[]")
        let bytes = ByteBuffer(bytes: [1, 2, 3])
        let binary = try OutboundPacket.event("baz", [.binary(bytes), .binary(ByteBuffer())], namespace: "/admin")
        #expect(
            self.text(binary)
                == "52-/admin,[\"baz\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]")
        #expect(binary.attachments == [bytes, ByteBuffer()])
        let ack = try OutboundPacket.ack(id: 789, [.json("null"), .binary(bytes)])
        #expect(self.text(ack) == "61-789[null,{\"_placeholder\":true,\"num\":0}]")
    }

    @Test("SOCKETIO §10.4: only control characters, quotes and backslashes are escaped")
    func escapes() throws {
        #expect(
            try self.text(.event("a\"b\\c/é\u{1E}\n", [.string("\u{0}\u{1F}€😀/\u{7F}")]))
                == "2[\"a\\\"b\\\\c/é\\u001e\\n\",\"\\u0000\\u001f€😀/\u{7F}\"]")
    }

    @Test("SPEC EV-4: names, sizes and reserved names are errors to the caller")
    func limits() throws {
        #expect(throws: EventError.nameLength) { try OutboundPacket.event("") }
        #expect(throws: EventError.nameLength) { try OutboundPacket.event(String(repeating: "é", count: 65)) }
        #expect(throws: Never.self) { try OutboundPacket.event(String(repeating: "é", count: 64)) }
        for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
            #expect(throws: EventError.reservedName) { try OutboundPacket.event(name) }
        }
        #expect(throws: Never.self) { try OutboundPacket.event("error") }
        func filler(_ count: Int) -> EventArgument { .string(String(repeating: "x", count: count)) }
        let overhead = "2[\"n\",\"\"]".utf8.count
        #expect(throws: Never.self) { try OutboundPacket.event("n", [filler(65_536 - overhead)]) }
        #expect(throws: EventError.tooLarge(bytes: 65_537, limit: 65_536)) {
            try OutboundPacket.event("n", [filler(65_537 - overhead)])
        }
        #expect(throws: Never.self) {
            try OutboundPacket.event("n", [filler(900_000)], limits: EventLimits(maxBytes: 1 << 20))
        }
        #expect(EventLimits(maxBytes: 1 << 30).maxBytes == 1 << 20)
        // Attachments count too.
        #expect(throws: EventError.self) {
            try OutboundPacket.event("n", [.binary(ByteBuffer(repeating: 0, count: 65_536))])
        }
    }

    @Test("SOCKETIO §10.2: more than ten attachments are refused, ten are not")
    func attachments() {
        let ten = Array(repeating: EventArgument.binary(ByteBuffer(bytes: [1])), count: 10)
        #expect(throws: Never.self) { try OutboundPacket.event("n", ten) }
        #expect(throws: EventError.tooManyAttachments(limit: 10)) { try OutboundPacket.event("n", ten + ten) }
    }

    @Test(
        "Arguments that are not JSON, or nested too deeply, never reach a client",
        arguments: [
            "", "{", "1 2", "\u{1}", "NaN", String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
        ])
    func invalidJSON(text: String) {
        #expect(throws: EventError.invalidJSON(argument: 1)) {
            try OutboundPacket.event("n", [.json("1"), .json(text)])
        }
    }

    @Test("Neither does text that is not UTF-8")
    func invalidUTF8() {
        #expect(throws: EventError.invalidJSON(argument: 0)) {
            try OutboundPacket.event("n", [.json(ByteBuffer(bytes: [0x22, 0xFF, 0x22]))])
        }
    }

    @Test("SOCKETIO §10.2: JSON that imitates a placeholder cannot ride along with attachments")
    func smuggledPlaceholder() throws {
        let imitation = EventArgument.json("[{\"_placeholder\":true,\"num\":7}]")
        #expect(throws: EventError.placeholder(argument: 1)) {
            try OutboundPacket.event("n", [.binary(ByteBuffer()), imitation])
        }
        // In a plain event it is data.
        #expect(try self.text(.event("n", [imitation])) == "2[\"n\",[{\"_placeholder\":true,\"num\":7}]]")
    }

    @Test("SOCKETIO §10.2: mixed arguments are numbered anew in the order of the text")
    func mixed() throws {
        let a = ByteBuffer(string: "a")
        let b = ByteBuffer(string: "b")
        let c = ByteBuffer(string: "c")
        let packet = try OutboundPacket.event(
            "n",
            [
                .binary(a),
                .mixed(
                    ByteBuffer(
                        string: "{\"y\":{\"num\":1,\"_placeholder\":true},\"x\":[{\"_placeholder\":true,\"num\":0},2]}"),
                    attachments: [b, c]),
            ])
        #expect(
            self.text(packet)
                == "53-[\"n\",{\"_placeholder\":true,\"num\":0},"
                + "{\"y\":{\"_placeholder\":true,\"num\":1},\"x\":[{\"_placeholder\":true,\"num\":2},2]}]")
        #expect(packet.attachments == [a, c, b])
        #expect(throws: EventError.placeholder(argument: 0)) {
            try OutboundPacket.event(
                "n", [.mixed(ByteBuffer(string: "{\"_placeholder\":true,\"num\":1}"), attachments: [a])])
        }
    }

    @Test(
        "SOCKETIO §16: arguments are passed on byte for byte, plain and binary",
        arguments: [
            ("2[\"message\",1,\"2\",{\"3\":[true]}]", 0), ("2[\"message\"]", 0),
            ("2[\"message\",1.0,1e21,12345678901234567890,\"\\ud83d\",{\"a\":1,\"a\":2}]", 0),
            ("52-[\"message\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]", 2),
            ("51-[\"message\",{\"deep\":[{\"num\":0,\"_placeholder\":true}]},\"x\"]", 1),
        ])
    func echo(wire: String, attachmentCount: Int) throws {
        let attachments = (0..<attachmentCount).map { ByteBuffer(bytes: [UInt8($0), 255]) }
        try WireFixture.withBytes(wire) { text in
            let packet = try SocketPacketParser.parse(text, options: SocketOptions())
            let inside = UnsafeRawBufferPointer(rebasing: text[packet.arguments])
            let back = OutboundPacket.passing(name: "message", arguments: inside, attachments: attachments)
            #expect(self.text(back) == wire)
            #expect(back.attachments == attachments)
            let ack = OutboundPacket.passing(name: nil, arguments: inside, attachments: attachments, ackID: 7)
            let head = attachmentCount == 0 ? "37[" : "6\(attachmentCount)-7["
            #expect(self.text(ack) == head + WireFixture.string(inside) + "]")
            // And taken apart, then put together again: the same, up to the order of a placeholder's members.
            let again = try OutboundPacket.event("message", packet.arguments(in: text, attachments: attachments))
            #expect(
                self.text(again)
                    == wire.replacing("{\"num\":0,\"_placeholder\":true}", with: "{\"_placeholder\":true,\"num\":0}"))
            #expect(again.attachments == attachments)
        }
    }

    @Test("Top-level placeholders become binary arguments, others stay in their JSON")
    func arguments() throws {
        let wire = "52-[\"e\",{\"_placeholder\":true,\"num\":1},5,{\"a\":{\"_placeholder\":true,\"num\":0}}]"
        let attachments = [ByteBuffer(string: "A"), ByteBuffer(string: "B")]
        try WireFixture.withBytes(wire) { text in
            let packet = try SocketPacketParser.parse(text, options: SocketOptions())
            #expect(
                packet.arguments(in: text, attachments: attachments) == [
                    .binary(attachments[1]), .json("5"),
                    .mixed(ByteBuffer(string: "{\"a\":{\"_placeholder\":true,\"num\":0}}"), attachments: attachments),
                ])
        }
    }

    @Test("The direct frame is the same as the packet's frame")
    func directFrame() throws {
        for size in [0, 100, 130, 70_000] {
            let argument = "\"" + String(repeating: "y", count: size) + "\""
            let frame = WireFixture.withBytes(argument) { arguments in
                var text = SocketPacketText(.ack, arguments: arguments)
                text.ackID = 1_234_567_890
                return WireFixture.written { text.writeFrame(into: &$0) }
            }
            let packet = OutboundPacket(text: ByteBuffer(string: "31234567890[\(argument)]"))
            #expect(frame == WireFixture.written { packet.writeFrames(into: &$0) })
        }
    }

    @Test("SOCKETIO §10.2, §2.2: attachments follow as binary frames, or as base64 text for b64 clients")
    func frames() {
        let packet = OutboundPacket(
            text: ByteBuffer(string: "51-[\"x\"]"), attachments: [ByteBuffer(bytes: [1, 2, 3, 4])])
        func decode(_ base64: Bool) -> [WireFixture.Found] {
            let frames = WireFixture.written { packet.writeFrames(base64: base64, into: &$0) }
            return WireFixture.decode(Array(frames.readableBytesView), limits: .init(expectsMask: false))
        }
        #expect(decode(false) == [.text("451-[\"x\"]"), .binary([1, 2, 3, 4])])
        #expect(decode(true) == [.text("451-[\"x\"]"), .text("bAQIDBA==")])
    }
}
