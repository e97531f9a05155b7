import NIOCore
import Testing

@testable import Wire

/// Inputs of the tables below are written with Engine.IO's `4` in front, as in SOCKETIO §10.
@Suite struct WireSocketPacketTests {
    private static let options = SocketOptions()

    private func parse(_ wire: String) throws(SocketPacketError) -> SocketPacket {
        let result = WireFixture.withBytes(String(wire.dropFirst())) { text in
            Result { () throws(SocketPacketError) in try SocketPacketParser.parse(text, options: Self.options) }
        }
        return try result.get()
    }

    /// kind, namespace, id, attachments, payload, name, arguments
    private func pieces(_ wire: String) throws -> [String] {
        let packet = try self.parse(wire)
        return WireFixture.withBytes(String(wire.dropFirst())) { text in
            func slice(_ range: Range<Int>) -> String { WireFixture.string(.init(rebasing: text[range])) }
            return [
                "\(packet.kind)", packet.namespaceName(in: text), packet.ackID.map { String($0) } ?? "-",
                String(packet.attachmentCount), slice(packet.payload), slice(packet.eventName), slice(packet.arguments),
            ]
        }
    }

    @Test(
        "SOCKETIO §10.1: the verified examples, piece by piece",
        arguments: [
            ("40", ["connect", "/", "-", "0", "", "", ""]),
            ("40{\"token\":\"123\"}", ["connect", "/", "-", "0", "{\"token\":\"123\"}", "", ""]),
            ("40/,{\"a\":1}", ["connect", "/", "-", "0", "{\"a\":1}", "", ""]),
            ("40/custom,{\"token\":\"abc\"}", ["connect", "/custom", "-", "0", "{\"token\":\"abc\"}", "", ""]),
            ("40/custom", ["connect", "/custom", "-", "0", "", "", ""]),
            ("40/custom?x=1,", ["connect", "/custom?x=1", "-", "0", "", "", ""]),
            ("41", ["disconnect", "/", "-", "0", "", "", ""]),
            ("41/custom", ["disconnect", "/custom", "-", "0", "", "", ""]),
            ("41/custom,", ["disconnect", "/custom", "-", "0", "", "", ""]),
            (
                "44/random,{\"message\":\"Invalid namespace\"}",
                ["connectError", "/random", "-", "0", "{\"message\":\"Invalid namespace\"}", "", ""]
            ),
            (
                "42[\"message\",1,\"2\",{\"3\":[true]}]",
                ["event", "/", "-", "0", "[\"message\",1,\"2\",{\"3\":[true]}]", "message", "1,\"2\",{\"3\":[true]}"]
            ),
            (
                "42/custom,[\"auth\",{\"token\":\"abc\"}]",
                ["event", "/custom", "-", "0", "[\"auth\",{\"token\":\"abc\"}]", "auth", "{\"token\":\"abc\"}"]
            ),
            ("42456[\"m\",1]", ["event", "/", "456", "0", "[\"m\",1]", "m", "1"]),
            ("42[\"m\"]", ["event", "/", "-", "0", "[\"m\"]", "m", ""]),
            ("42[ \"m\" , 1.0 , 2 ] ", ["event", "/", "-", "0", "[ \"m\" , 1.0 , 2 ]", "m", "1.0 , 2 "]),
            ("42/admin,13[\"foo\"]", ["event", "/admin", "13", "0", "[\"foo\"]", "foo", ""]),
            (
                "43456[1,\"2\",{\"3\":[false]}]",
                ["ack", "/", "456", "0", "[1,\"2\",{\"3\":[false]}]", "", "1,\"2\",{\"3\":[false]}"]
            ),
            ("431[]", ["ack", "/", "1", "0", "[]", "", ""]),
            ("431[ ]", ["ack", "/", "1", "0", "[ ]", "", ""]),
            (
                "452-[\"b\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
                [
                    "binaryEvent", "/", "-", "2",
                    "[\"b\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]", "b",
                    "{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}",
                ]
            ),
            ("452-/admin,789[\"b\"]", ["binaryEvent", "/admin", "789", "2", "[\"b\"]", "b", ""]),
            (
                "461-789[{\"_placeholder\":true,\"num\":0}]",
                [
                    "binaryAck", "/", "789", "1", "[{\"_placeholder\":true,\"num\":0}]", "",
                    "{\"_placeholder\":true,\"num\":0}",
                ]
            ),
            // §10.3, rows that are accepted
            ("42007[\"x\"]", ["event", "/", "7", "0", "[\"x\"]", "x", ""]),
            ("429007199254740991[\"x\"]", ["event", "/", "9007199254740991", "0", "[\"x\"]", "x", ""]),
            ("42[5,1]", ["event", "/", "-", "0", "[5,1]", "5", "1"]),
            ("42[1.5]", ["event", "/", "-", "0", "[1.5]", "1.5", ""]),
            ("42[\"error\",1]", ["event", "/", "-", "0", "[\"error\",1]", "error", "1"]),
            ("401", ["connect", "/", "-", "0", "", "", ""]),
            ("4501-[\"x\"]", ["binaryEvent", "/", "-", "1", "[\"x\"]", "x", ""]),
            ("450-[\"x\"]", ["binaryEvent", "/", "-", "0", "[\"x\"]", "x", ""]),
            (
                "42[\"x\",{\"_placeholder\":true,\"num\":7}]",
                [
                    "event", "/", "-", "0", "[\"x\",{\"_placeholder\":true,\"num\":7}]", "x",
                    "{\"_placeholder\":true,\"num\":7}",
                ]
            ),
        ])
    func accepted(wire: String, expected: [String]) throws {
        #expect(try self.pieces(wire) == expected)
    }

    @Test(
        "SOCKETIO §10.3: every row that closes, with its cause",
        arguments: [
            ("4", SocketPacketError.empty), ("4abc", .unknownType), ("47", .unknownType), ("4999", .unknownType),
            ("42{}", .wrongPayloadKind), ("42\"x\"", .wrongPayloadKind), ("42[\"a\"", .malformedJSON),
            ("42[\"message\"]x", .malformedJSON), ("42abc[\"x\"]", .wrongPayloadKind),
            ("42-1[\"x\"]", .wrongPayloadKind),
            ("421.5[\"x\"]", .wrongPayloadKind), ("42 1[\"x\"]", .wrongPayloadKind), ("42 [\"x\"]", .wrongPayloadKind),
            ("429007199254740992[\"x\"]", .ackID), ("4200000000000000001[\"x\"]", .ackID), ("42", .missingPayload),
            ("421", .missingPayload), ("42[]", .eventName), ("42[true]", .eventName), ("42[null]", .eventName),
            ("42[{\"toString\":\"x\"}]", .eventName), ("42[[\"x\"]]", .eventName), ("42[-]", .malformedJSON),
            ("42[\"connect\"]", .reservedEventName), ("42[\"connect_error\"]", .reservedEventName),
            ("42[\"disconnect\",1]", .reservedEventName), ("42[\"disconnecting\"]", .reservedEventName),
            ("42[\"newListener\"]", .reservedEventName), ("42[\"removeListener\"]", .reservedEventName),
            ("42[\"conn\\u0065ct\"]", .reservedEventName), ("40[]", .wrongPayloadKind), ("40null", .wrongPayloadKind),
            ("40\"x\"", .wrongPayloadKind), ("40{", .malformedJSON), ("40{}x", .malformedJSON),
            ("41{}", .unexpectedPayload),
            ("41x", .unexpectedPayload), ("43[]", .missingAckID), ("431", .missingPayload),
            ("431{}", .wrongPayloadKind),
            ("431[1", .malformedJSON), ("45[\"m\"]", .attachmentCount), ("451[\"m\"]", .attachmentCount),
            ("45a-[\"m\"]", .attachmentCount), ("451.5-[\"m\"]", .attachmentCount), ("45-1-[\"m\"]", .attachmentCount),
            ("45-[\"m\"]", .attachmentCount), ("451", .attachmentCount), ("4511-[\"m\"]", .tooManyAttachments),
            ("4599999999999999999999-[\"m\"]", .tooManyAttachments), ("461-[]", .missingAckID),
            ("451-", .missingPayload),
            ("42[\"x\",1,]", .malformedJSON), ("42[\"x\" 1]", .malformedJSON), ("42[\"x\",]", .malformedJSON),
            ("44", .missingPayload), ("44[]", .wrongPayloadKind),
            // §10.2: numbers that are no index
            ("451-[\"x\",{\"_placeholder\":true,\"num\":1}]", .placeholder),
            ("451-[\"x\",{\"_placeholder\":true,\"num\":\"0\"}]", .placeholder),
            ("451-[\"x\",{\"_placeholder\":true,\"num\":0.5}]", .placeholder),
            ("451-[\"x\",{\"_placeholder\":true,\"num\":-1}]", .placeholder),
            ("451-[\"x\",{\"_placeholder\":true,\"num\":1e0}]", .placeholder),
            ("451-[\"x\",{\"_placeholder\":true,\"num\":{}}]", .placeholder),
            ("451-[\"x\",{\"_placeholder\":true}]", .placeholder),
            ("451-[\"x\",[{\"a\":{\"num\":9,\"_placeholder\":true}}]]", .placeholder),
            ("451-[\"x\",{\"\\u005fplaceholder\":true,\"num\":3}]", .placeholder),
            ("451-[\"x\",{\"_placeholder\":true,\"num\":0,\"in\":{\"_placeholder\":true,\"num\":0}}]", .placeholder),
            ("450-[\"x\",{\"_placeholder\":true,\"num\":0}]", .placeholder),
        ])
    func refused(wire: String, error: SocketPacketError) {
        #expect(throws: error) { try self.parse(wire) }
    }

    @Test(
        "SOCKETIO §10.2: the same index twice, unreferenced attachments and near misses are fine",
        arguments: [
            "451-[\"x\",{\"_placeholder\":true,\"num\":0},{\"num\":0,\"_placeholder\":true}]", "452-[\"x\"]",
            "451-[\"x\",{\"_placeholder\":1,\"num\":5},{\"_placeholder\":\"true\"},{\"_placeholder\":false,\"num\":4}]",
            "451-[\"x\",{\"_placeholder\":true,\"_placeholder\":null,\"num\":4},\"_placeholder\"]",
            "451-[\"x\",{\"_placeholder\":true,\"num\":4,\"num\":0}]",
        ])
    func placeholders(wire: String) throws {
        #expect(try self.parse(wire).kind == .binaryEvent)
    }

    @Test("SOCKETIO §18: names, namespaces, depth and packets at and above their limits")
    func limits() throws {
        func x(_ count: Int) -> String { String(repeating: "x", count: count) }
        #expect(try self.parse("42[\"\(x(128))\"]").eventName.count == 128)
        #expect(throws: SocketPacketError.eventNameTooLong) { try self.parse("42[\"\(x(129))\"]") }
        // Escapes count as what they stand for.
        let escaped = String(repeating: "\\u0041", count: 128)
        #expect(try self.parse("42[\"\(escaped)\"]").nameHasEscapes)
        #expect(throws: SocketPacketError.eventNameTooLong) { try self.parse("42[\"\(escaped)A\"]") }
        #expect(try self.parse("40/\(x(255)),").namespace.count == 256)
        #expect(throws: SocketPacketError.namespaceTooLong) { try self.parse("40/\(x(256)),") }
        #expect(throws: SocketPacketError.namespaceTooLong) { try self.parse("40/\(x(256))") }
        func nested(_ levels: Int) -> String {
            "42[\"x\"," + String(repeating: "[", count: levels) + String(repeating: "]", count: levels) + "]"
        }
        #expect(try self.parse(nested(63)).kind == .event)
        #expect(throws: SocketPacketError.nestingTooDeep) { try self.parse(nested(64)) }
        #expect(throws: SocketPacketError.nestingTooDeep) { try self.parse(nested(100_000)) }
        let tooLarge = "42[\"x\",\"\(x(4_000_000))\"]"
        #expect(throws: SocketPacketError.packetTooLarge) { try self.parse(tooLarge) }
    }

    @Test("An event is recognised without making a string of its name")
    func recognised() throws {
        for wire in ["42[\"message\"]", "42[\"mess\\u0061ge\"]"] {
            let packet = try self.parse(wire)
            WireFixture.withBytes(String(wire.dropFirst())) { text in
                #expect(packet.isEvent("message", in: text))
                #expect(!packet.isEvent("messages", in: text))
                #expect(!packet.isEvent("", in: text))
                #expect(packet.name(in: text) == "message")
            }
        }
    }

    @Test("SOCKETIO §19 CVE-2020-36049: deep and wide placeholders cost one pass", .timeLimit(.minutes(1)))
    func hostilePlaceholders() throws {
        let deep =
            String(repeating: "{\"_placeholder\":false,\"a\":[", count: 31) + "1"
            + String(repeating: "]}", count: 31)
        let wide = Array(repeating: deep, count: 1_500).joined(separator: ",")
        #expect(try self.parse("451-[\"x\",\(wide)]").attachmentCount == 1)
    }

    @Test("SOCKETIO §19: random texts and mutations of real ones never crash", arguments: UInt64(1)...20)
    func random(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        let alphabet = Array("0123456-/,[]{}\"\\u_placeholdernum:tue .".utf8)
        let base = Array(
            "52-/admin,789[\"baz\",{\"_placeholder\":true,\"num\":0},[{\"_placeholder\":true,\"num\":1}]]".utf8)
        for _ in 0..<400 {
            var bytes = base
            switch Int.random(in: 0...2, using: &generator) {
            case 0: bytes = generator.bytes(Int.random(in: 0...80, using: &generator))
            case 1: bytes = Array(base.prefix(Int.random(in: 0...base.count, using: &generator)))
            default: break
            }
            for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = alphabet.randomElement(using: &generator)!
            }
            bytes.withUnsafeBytes { text in
                guard let packet = try? SocketPacketParser.parse(text, options: Self.options) else { return }
                // What is accepted can be taken apart, and what stands in brackets is JSON.
                let arguments = packet.arguments(
                    in: text, attachments: Array(repeating: ByteBuffer(), count: Int(packet.attachmentCount)))
                #expect(arguments.isEmpty == packet.arguments.isEmpty, "seed \(seed)")
                let inside = WireFixture.string(.init(rebasing: text[packet.arguments]))
                #expect(WireFixture.withBytes("[\(inside)]") { JSONScanner.isValid($0) }, "seed \(seed)")
            }
        }
    }
}
