import Foundation
import NIOCore
import Testing

@testable import Wire

@Suite struct WireJSONTests {
    private func isValid(_ text: String) -> Bool { WireFixture.withBytes(text) { JSONScanner.isValid($0) } }

    @Test(
        "RFC 8259 texts pass",
        arguments: [
            "null", "true", "false", "0", "-0", "1.5e+10", "-12.25E-3", "\"\"", "\"a\\u00e9\\n\\/\"", "[]", "{}",
            " [ ] ",
            "[1,\"2\",{\"3\":[true]}]", "{\"a\":{\"b\":[null,{}]},\"a\":1}", "\"\\ud83d\"",
            "\t{ \"a\" : 1 , \"b\" : [ 2 ] }\r\n",
            "\"long enough for eight bytes a step, with é and \\\" inside\"",
        ])
    func valid(text: String) { #expect(self.isValid(text)) }

    @Test(
        "Everything else does not",
        arguments: [
            "", " ", "nul", "True", "01", "1.", ".5", "+1", "1e", "1e+", "-", "--1", "0x1", "NaN", "Infinity", "'a'",
            "\"a",
            "\"\\x\"", "\"\\u12g4\"", "\"\\u12\"", "\"\n\"", "\"12345678\u{1}\"", "[", "]", "[1", "[1,", "[1,]", "[,1]",
            "[1 2]",
            "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}", "{\"a\":1 \"b\":2}", "[}", "{]", "[1]}",
            "1 2",
            "[1]x", "{\"a\":1,2}", "\"\\", "[\"\\u\"]",
        ])
    func invalid(text: String) { #expect(!self.isValid(text)) }

    @Test("SPEC WS-3, SOCKETIO §18: the depth is capped at 64, however the levels are mixed")
    func depth() {
        func nested(_ levels: Int) -> String {
            (0..<levels).map { $0 % 2 == 0 ? "[" : "{\"a\":" }.joined() + "1"
                + (0..<levels).reversed().map { $0 % 2 == 0 ? "]" : "}" }.joined()
        }
        #expect(self.isValid(nested(64)))
        #expect(!self.isValid(nested(65)))
        #expect(!self.isValid(String(repeating: "[", count: 100_000)))
        #expect(self.isValid(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)))
        #expect(!self.isValid(String(repeating: "[", count: 65) + String(repeating: "]", count: 65)))
        #expect(WireFixture.withBytes("[]") { JSONScanner.isValid($0, depth: 63) })
        #expect(!WireFixture.withBytes("[]") { JSONScanner.isValid($0, depth: 64) })
    }

    @Test("Special bytes are found at every place in a word")
    func everyOffset() {
        for offset in 0..<24 {
            let padding = String(repeating: "a", count: offset)
            #expect(self.isValid("\"\(padding)\""))
            #expect(self.isValid("\"\(padding)\\\"b\""))
            #expect(!self.isValid("\"\(padding)\u{1F}b\""))
            #expect(self.isValid("\"\(padding)\u{7F}!#€\""))
            #expect(!self.isValid("\"\(padding)"))
        }
    }

    @Test("Random bytes and mutated texts never crash; what is valid is what a parser takes", arguments: UInt64(1)...20)
    func random(seed: UInt64) {
        var generator = WireFixture.Generator(seed: seed)
        let alphabet = Array("[]{}\",:\\u0123ntrue -.eE_placeholdernum\u{1}".utf8)
        let base = Array("[\"e\",{\"_placeholder\":true,\"num\":0},[1,2.5,null],\"\\ud83d\\u0041\"]".utf8)
        for _ in 0..<400 {
            var bytes: [UInt8]
            switch Int.random(in: 0...2, using: &generator) {
            case 0: bytes = generator.bytes(Int.random(in: 0...60, using: &generator))
            case 1:
                bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                    alphabet.randomElement(using: &generator)!
                }
            default:
                bytes = base
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = alphabet.randomElement(
                        using: &generator)!
                }
            }
            bytes.withUnsafeBytes { bytes in
                let isValid = JSONScanner.isValid(bytes)
                _ = Placeholders.areValid(in: bytes, attachmentCount: 1)
                _ = JSONString.decode(bytes)
                var array = JSONArrayReader(bytes)
                while array.next() != nil {}
                var object = JSONObjectReader(bytes)
                while object.next() != nil {}
                // Foundation takes what is deeper, too; nothing that it takes within the depth may be refused here.
                let isTaken = UTF8Validation.isValid(bytes) && Self.foundationTakes(Data(bytes))
                #expect(!isTaken || isValid, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    @Test("Strings are decoded; a lone surrogate becomes U+FFFD or is refused (SOCKETIO §10.4, SPEC WS-3)")
    func strings() {
        func decode(_ raw: String) -> String { WireFixture.withBytes(raw) { JSONString.decode($0) } }
        func strict(_ raw: String) -> String? { WireFixture.withBytes(raw) { JSONString.decodeStrict($0) } }
        #expect(decode("a\\u0041\\n\\t\\r\\b\\f\\/\\\\\\\"é") == "aA\n\t\r\u{08}\u{0C}/\\\"é")
        #expect(decode("\\ud83d\\ude00") == "😀")
        #expect(decode("\\ud83dx") == "\u{FFFD}x")
        #expect(decode("\\ude00\\ud83d") == "\u{FFFD}\u{FFFD}")
        #expect(decode("\\ud83d\\u0041") == "\u{FFFD}A")
        #expect(strict("\\ud83d\\ude00") == "😀")
        #expect(strict("\\ud83d") == nil)
        #expect(strict("plain") == "plain")
        #expect(WireFixture.withBytes("\\ud83d\\ude00\\u00e9a") { JSONString.decodedCount($0) } == 7)
    }

    @Test("Elements and members are slices of the text as it came")
    func slices() {
        WireFixture.withBytes(" [ 1.0 , \"a,]\" , {\"x\":[1, 2]} ]") { bytes in
            var reader = JSONArrayReader(bytes)
            var elements: [String] = []
            while let range = reader.next() { elements.append(WireFixture.string(.init(rebasing: bytes[range]))) }
            #expect(elements == ["1.0", "\"a,]\"", "{\"x\":[1, 2]}"])
            #expect(!reader.isMalformed)
        }
        WireFixture.withBytes("{\"user\":\"a\",\"us\\u0065r\":\"b\",\"n\":{}}") { bytes in
            var keys: [String] = []
            var reader = JSONObjectReader(bytes)
            while let member = reader.next() { keys.append(WireFixture.string(.init(rebasing: bytes[member.key]))) }
            #expect(keys == ["user", "us\\u0065r", "n"])
            let value = JSONObjectReader.value(of: "user", in: bytes)
            #expect(value.map { WireFixture.string(.init(rebasing: bytes[$0])) } == "\"b\"")
            #expect(JSONObjectReader.value(of: "absent", in: bytes) == nil)
        }
        for text in ["{}", "[1", "[1 2]", "[,]", "x", ""] {
            WireFixture.withBytes(text) { bytes in
                var reader = JSONArrayReader(bytes)
                while reader.next() != nil {}
                #expect(reader.isMalformed || text == "[1", "\(text)")
            }
        }
    }

    private static func foundationTakes(_ text: Data) -> Bool {
        (try? JSONSerialization.jsonObject(with: text, options: [.fragmentsAllowed])) != nil
    }
}
