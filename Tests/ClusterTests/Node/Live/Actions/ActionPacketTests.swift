import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct ActionPacketTests {
    private struct Parsed: Equatable {
        var id: String?
        var method = ""
        var url = ""
        var query: [String: String] = [:]
        var body: String?
    }

    private static func parse(
        _ text: String, attachments: [ByteBuffer] = [], longestURL: Int = 8_192
    ) throws -> Parsed {
        let packet = try ByteBuffer(string: text).withUnsafeReadableBytes {
            try ActionPacket($0, attachments: attachments, longestURL: longestURL)
        }
        let body: String? =
            switch packet.body {
            case .none: nil
            case .json(let text): String(buffer: text)
            case .binary(let bytes): "bytes \(String(buffer: bytes))"
            }
        return Parsed(
            id: packet.id.map { String(buffer: $0.json) }, method: packet.method.rawValue, url: packet.url,
            query: packet.query, body: body)
    }

    /// The id that the answer carries, and its status.
    private static func refusal(_ text: String, attachments: [ByteBuffer] = []) -> (id: String?, status: Int)? {
        do {
            _ = try self.parse(text, attachments: attachments, longestURL: 100)
            return nil
        } catch let error as ActionPacket.Refusal {
            return (error.id.map { String(buffer: $0.json) }, error.error.status)
        } catch {
            Issue.record(error)
            return nil
        }
    }

    @Test("SPEC §8: everything that an action may say")
    func whole() throws {
        #expect(
            try Self.parse(
                #"{"_id":7,"method":"PUT","url":"/posts/1?a=b","query":{"c":"d","n":1.50,"t":true},"body":{"x":[1]}}"#)
                == Parsed(
                    id: "7", method: "PUT", url: "/posts/1?a=b", query: ["c": "d", "n": "1.5", "t": "true"],
                    body: #"{"x":[1]}"#))
        #expect(try Self.parse(#"{"method":"GET","url":"/","other":[{}]} "#) == Parsed(method: "GET", url: "/"))
        #expect(try Self.parse(#"{"body":null,"method":"GET","url":"/"}"#).body == "null")
    }

    @Test("A binary body is the one attachment as a whole")
    func binary() throws {
        let bytes = ByteBuffer(string: "ab")
        let whole = #"{"_id":1,"method":"PUT","url":"/","body":{"_placeholder":true,"num":0}}"#
        #expect(try Self.parse(whole, attachments: [bytes]).body == "bytes ab")
        let inside = #"{"_id":1,"method":"PUT","url":"/","body":[{"_placeholder":true,"num":0}]}"#
        #expect(Self.refusal(inside, attachments: [bytes])?.status == 400)
        #expect(Self.refusal(whole, attachments: [bytes, bytes])?.status == 400)
        let elsewhere = #"{"_id":1,"method":"PUT","url":"/","query":{"_placeholder":true,"num":0}}"#
        #expect(Self.refusal(elsewhere, attachments: [bytes])?.id == "1")
        // Without attachments it is an object as any other.
        #expect(try Self.parse(whole).body == #"{"_placeholder":true,"num":0}"#)
    }

    @Test(
        "WS-1: an integer, or a string of at most 64 bytes, byte for byte",
        arguments: [
            "0", "-5", "9007199254740993", #""""#, #""a""#, #""\u0061\/""#, "\"\(String(repeating: "x", count: 64))\"",
            "\"\(String(repeating: "\\u0061", count: 64))\"", #""ü\ud83e\udd80""#,
        ])
    func ids(id: String) throws {
        #expect(try Self.parse("{\"_id\":\(id),\"method\":\"GET\",\"url\":\"/\"}").id == id)
    }

    @Test(
        "WS-1: any other id is none, and the packet is refused",
        arguments: [
            "1.0", "1e3", "1.5", "9223372036854775808", "true", "null", "[]", "{}",
            "\"\(String(repeating: "x", count: 65))\"", "\"\(String(repeating: "ü", count: 33))\"", #""\ud800""#,
        ])
    func wrongIDs(id: String) {
        let refusal = Self.refusal("{\"_id\":\(id),\"method\":\"GET\",\"url\":\"/\"}")
        #expect(refusal?.status == 400)
        #expect(refusal?.id == nil)
    }

    @Test("Two spellings of an id name one stream")
    func sameID() throws {
        func id(_ text: String) throws -> MessageID {
            try #require(ByteBuffer(string: text).withUnsafeReadableBytes { MessageID(json: $0) })
        }
        #expect(try id(#""\u0061""#) == id(#""a""#))
        #expect(try id("1") != id(#""1""#))
    }

    @Test(
        "AC-12, WS-3: refused, and answered under its id where it has one",
        arguments: [
            (#"{"_id":1,"url":"/"}"#, "1", 400), (#"{"_id":1,"method":"GET"}"#, "1", 400),
            (#"{"_id":1,"method":5,"url":"/"}"#, "1", 400), (#"{"_id":1,"method":"","url":"/"}"#, "1", 400),
            (#"{"_id":1,"method":"G T","url":"/"}"#, "1", 400), (#"{"_id":1,"method":"GET","url":5}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"x"}"#, "1", 400), (#"{"_id":1,"method":"GET","url":""}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/a b"}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/a\n"}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"http://x/"}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","query":"a=b"}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","query":{"a":[]}}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","query":{"a":null}}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","query":null}"#, "1", 400),
            // Polluting and duplicate keys, lone surrogates, numbers that nothing holds.
            (#"{"_id":1,"method":"GET","url":"/","__proto__":{}}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","__pr\u006fto__":{}}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","query":{"__proto__":"x"}}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","constructor":{"prototype":{}}}"#, "1", 400),
            (#"{"_id":1,"method":"GET","method":"PUT","url":"/"}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","query":{"a":"1","a":"2"}}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","x":"\udc00"}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","\ud800":1}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/","x":1e999}"#, "1", 400),
            (#"{"_id":1,"method":"GET","url":"/"},2"#, "1", 400),
            // Without an id that could be told.
            (#"{"_id":1,"_id":2,"method":"GET","url":"/"}"#, nil, 400), ("", nil, 400), ("7", nil, 400),
            ("null", nil, 400), (#""GET""#, nil, 400), ("[]", nil, 400), ("{}", nil, 400), ("1,{}", nil, 400),
            ("{\"_id\":1,\"method\":\"GET\",\"url\":\"/\(String(repeating: "x", count: 100))\"}", "1", 414),
        ] as [(String, String?, Int)])
    func refused(text: String, id: String?, status: Int) {
        let refusal = Self.refusal(text)
        #expect(refusal?.status == status)
        #expect(refusal?.id == id)
    }

    @Test("AC-10: what a client says about a stream")
    func chunks() throws {
        func parse(_ text: String) throws -> ChunkPacket {
            try ByteBuffer(string: text).withUnsafeReadableBytes { try ChunkPacket($0) }
        }
        #expect(try parse(#"{"_id":"a","ack":3}"#).request == .acknowledge(3))
        #expect(try parse(#"{"cancel":true,"_id":1}"#).request == .cancel)
        for text in [
            "", "1", "{}", #"{"ack":1}"#, #"{"_id":1}"#, #"{"_id":1,"ack":"1"}"#, #"{"_id":1,"ack":1.5}"#,
            #"{"_id":1,"cancel":false}"#, #"{"_id":1,"ack":1,"cancel":true}"#, #"{"_id":1,"ack":1,"ack":2}"#,
            #"{"_id":1,"ack":1},2"#, #"{"_id":[],"ack":1}"#,
        ] {
            #expect(throws: ChunkPacket.Malformed.self, "\(text)") { try parse(text) }
        }
    }
}
