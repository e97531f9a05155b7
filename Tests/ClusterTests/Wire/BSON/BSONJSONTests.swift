import NIOCore
import Testing

@testable import Wire

@Suite("BSON values as arguments of events") struct BSONJSONTests {
    private func argument(_ build: (inout BSONWriter) -> Void) throws -> EventArgument {
        try EventArgument(try #require(BSONDocument(build)["v"]))
    }

    private func text(_ build: (inout BSONWriter) -> Void) throws -> String {
        guard case .json(let text) = try self.argument(build) else { return "no JSON" }
        return String(buffer: text)
    }

    @Test("Every type that JSON has a form for")
    func values() throws {
        #expect(try self.text { $0.append("v", "a\"\u{1}ä") } == #""a\"\u0001ä""#)
        #expect(try self.text { $0.append("v", Int32.min) } == "-2147483648")
        #expect(try self.text { $0.append("v", Int64.max) } == "9223372036854775807")
        #expect(try self.text { $0.append("v", 3.0) } == "3")
        #expect(try self.text { $0.append("v", 0.25) } == "0.25")
        #expect(try self.text { $0.append("v", 1e300) } == "1e+300")
        #expect(try self.text { $0.append("v", true) } == "true")
        #expect(try self.text { $0.append("v", BSONNull()) } == "null")
        #expect(try self.text { $0.document("v") { _ in } } == "{}")
        #expect(try self.text { $0.array("v") { _ in } } == "[]")
        let nested = try self.text { document in
            document.document("v") { object in
                object.append("a", Int32(1))
                object.array("b") { array in
                    array.element("x")
                    array.documentElement { $0.append("c", false) }
                }
            }
        }
        #expect(nested == #"{"a":1,"b":["x",{"c":false}]}"#)
    }

    @Test(
        "Dates are texts as in RFC 3339, in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_709_209_801_500, "2024-02-29T12:30:01.500Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00Z"),
            (-2_203_891_200_000, "1900-03-01T00:00:00Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func dates(milliseconds: Int64, text: String) throws {
        #expect(try self.text { $0.append("v", BSONDate(milliseconds: milliseconds)) } == "\"\(text)\"")
    }

    @Test("Binary is an attachment, wherever it is")
    func binary() throws {
        let bytes = ByteBuffer(bytes: [1, 2])
        #expect(try self.argument { $0.append("v", BSONBinary(bytes)) } == .binary(bytes))
        let mixed = try self.argument { document in
            document.array("v") { $0.element(BSONBinary(bytes)) }
        }
        #expect(mixed == .mixed(ByteBuffer(string: #"[{"_placeholder":true,"num":0}]"#), attachments: [bytes]))
    }

    @Test("What JSON has no form for is refused by its type")
    func refused() {
        #expect(throws: BSONFormError(type: .timestamp)) { try self.text { $0.append("v", BSONTimestamp.empty) } }
        #expect(throws: BSONFormError(type: .double)) { try self.text { $0.append("v", Double.infinity) } }
        #expect(throws: BSONFormError(type: .date)) {
            try self.text { $0.append("v", BSONDate(milliseconds: 253_402_300_800_000)) }
        }
    }
}
