import NIOCore
import Testing

@testable import Node

@Suite("AC-5: multipart/form-data, however it is cut")
struct MultipartParserTests {
    /// A part as its events say, its pieces put together.
    private struct Part: Equatable {
        var name: String
        var filename: String?
        var type: String?
        var text = ""
    }

    private static let boundary = MultipartBoundary("x")!

    private static func read(
        _ body: [UInt8], _ cuts: [Int] = [], boundary: MultipartBoundary = Self.boundary,
        limits: MultipartLimits = MultipartLimits()
    ) -> Result<[Part], MultipartError> {
        Result { () throws(MultipartError) in
            var parser = MultipartParser(boundary: boundary, limits: limits)
            var parts: [Part] = []
            var start = 0
            for end in cuts + [body.count] {
                parser.feed(ByteBuffer(bytes: body[start..<end]))
                start = end
                while let event = try parser.next() {
                    switch event {
                    case .part(let head):
                        parts.append(Part(name: head.name, filename: head.filename, type: head.contentType))
                    case .bytes(let bytes):
                        #expect(bytes.readableBytes > 0)
                        parts[parts.count - 1].text += String(buffer: bytes)
                    case .partEnded: break
                    }
                }
            }
            try parser.finish()
            return parts
        }
    }

    private static func read(
        _ text: String, limits: MultipartLimits = MultipartLimits()
    ) -> Result<[Part], MultipartError> {
        self.read(Array(text.utf8), limits: limits)
    }

    private static func part(_ disposition: String, _ more: String = "", content: String = "1") -> String {
        "--x\r\nContent-Disposition: \(disposition)\r\n\(more)\r\n\(content)\r\n--x--\r\n"
    }

    private static let form =
        "preamble\r\n--x \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n"
        + "--x\r\ncontent-disposition: form-data; name=b; filename=\"é.txt\"\r\n"
        + "Content-Type: Text/Plain; charset=x\r\n\r\n\r\n--y\r\n-\r\r\n--\r\n"
        + "--x\r\nX: y\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n--x--\r\n--x--\r\nepilogue\r\n--x\r\n"

    private static let parts = [
        Part(name: "a"), Part(name: "b", filename: "é.txt", type: "text/plain", text: "\r\n--y\r\n-\r\r\n--"),
        Part(name: "c", text: "--x--"),
    ]

    @Test("A form cut at every byte, and at every two")
    func everySplit() throws {
        let body = Array(Self.form.utf8)
        #expect(try Self.read(body).get() == Self.parts)
        for first in 0...body.count {
            #expect(Self.read(body, [first]) == .success(Self.parts), "\(first)")
            for second in stride(from: first, through: body.count, by: 17) {
                guard Self.read(body, [first, second]) == .success(Self.parts) else {
                    Issue.record("\(first), \(second)")
                    return
                }
            }
        }
        #expect(try Self.read(body, Array(1..<body.count)).get() == Self.parts)
    }

    @Test(
        "RFC 7578, RFC 8187: names in every form that clients send",
        arguments: [
            ("form-data; name=\"a\"", "a", nil), ("form-data;name=a", "a", nil),
            ("FORM-DATA ; NAME=\"a b\" ;", "a b", nil),
            ("form-data; name=\"a;b=\\\"c\\\\\"", "a;b=\"c\\", nil), ("form-data; name=\"%22%0D%0A\"", "\"%0D%0A", nil),
            ("form-data; name=\"\"", "", nil), ("form-data; name=\"日本\"", "日本", nil),
            ("form-data; name=f; filename=\"a.txt\"", "f", "a.txt"), ("form-data; name=f; filename=\"\"", "f", ""),
            ("form-data; name=f; filename=\"C:\\dir\\x.txt\"", "f", "x.txt"),
            ("form-data; name=f; filename=\"../../etc/passwd\"", "f", "passwd"),
            ("form-data; name=f; filename=\"dir/\"", "f", ""),
            ("form-data; name=f; filename=\"old\"; filename*=UTF-8''%e2%82%ac%20rates", "f", "€ rates"),
            ("form-data; name=f; filename*=utf-8'en'a%2Fb", "f", "b"),
            ("form-data; name=f; filename=\"old\"; filename*=iso-8859-1''%a3", "f", "old"),
        ] as [(String, String, String?)])
    func names(disposition: String, name: String, filename: String?) throws {
        let part = try #require(try Self.read(Self.part(disposition, "")).get().first)
        #expect(part.name == name && part.filename == filename && part.text == "1")
    }

    @Test(
        "What is no form is refused by name",
        arguments: [
            "", "--x", "--x-", "--x\r\n", "no boundary", "\r\n--y--", "--xy\r\n", "--x--y\r\n--x", "--x \r--x--",
            "--x\n\r\n--x--", "--x\r\n\r\n1\r\n--x--", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x",
            part("form-data"), part("attachment; name=a"), part("form-data; name"), part("form-data; name=a; name=b"),
            part("form-data; name=\"a"), part("form-data; name=\"a\"b"), part("form-data; name=\"a\u{01}\""),
            part("form-data; name=a; filename=b; filename=c"), part("form-data; name=a; filename*=b"),
            part("form-data; name=a; filename*=utf-8''%zz"), part("form-data; name=a; filename*=utf-8''%0a"),
            part("form-data; name=a", "Content-Disposition: form-data; name=b\r\n"),
            part("form-data; name=a;\r\n filename=b"), part("form-data; name=a", ": x\r\n"),
            part("form-data; name=a", "no colon\r\n"), part("form-data; name=a", "A b: c\r\n"),
            part("form-data; name=a", "A: b\rc\r\n"), part("form-data; name=a", "A: b\nc\r\n"),
            part("form-data; name=a", "A: b\u{0}\r\n"),
        ])
    func malformed(body: String) {
        guard case .failure(.malformed) = Self.read(body) else {
            // Behind the two dashes of the last boundary everything is epilogue.
            #expect(body.hasPrefix("--x--") && Self.read(body) == .success([]))
            return
        }
    }

    @Test("Bytes that are not UTF-8 in a header are refused; in content they are content")
    func notUTF8() throws {
        let head = Array("--x\r\nContent-Disposition: form-data; name=\"".utf8) + [0xFF]
        #expect(Self.read(head + Array("\"\r\n\r\n\r\n--x--".utf8)) == .failure(.malformed("a header of a part")))
        var parser = MultipartParser(boundary: Self.boundary)
        parser.feed(
            ByteBuffer(bytes: Array("--x\r\nContent-Disposition: form-data; name=a\r\n\r\n".utf8) + [0xFF, 0x0D, 0x00]))
        guard case .part(let head) = try parser.next() else {
            Issue.record("no part")
            return
        }
        #expect(head.name == "a" && head.filename == nil)
        #expect(try parser.next() == .bytes(ByteBuffer(bytes: [0xFF, 0x0D, 0x00])))
    }

    @Test("Every limit, to the byte")
    func limits() {
        func failure(_ body: String, _ limits: MultipartLimits) -> MultipartError? {
            if case .failure(let error) = Self.read(body, limits: limits) { error } else { nil }
        }
        let header = "Content-Disposition: form-data; name=a\r\n\r\n"
        let one = Self.part("form-data; name=a")
        #expect(failure(one, MultipartLimits(headerBytes: header.utf8.count)) == nil)
        #expect(failure(one, MultipartLimits(headerBytes: header.utf8.count - 1)) == .headerTooLarge)
        let endless = "--x\r\nContent-Disposition: form-data; name=" + String(repeating: "a", count: 9_000)
        #expect(failure(endless, MultipartLimits()) == .headerTooLarge)
        #expect(failure("--x" + String(repeating: " ", count: 9_000), MultipartLimits()) == .headerTooLarge)
        let two = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" + Self.part("form-data; name=b")
        #expect(failure(two, MultipartLimits(fields: 2, files: 0)) == nil)
        #expect(failure(two, MultipartLimits(fields: 1)) == .tooManyFields)
        let file = Self.part("form-data; name=abc; filename=defg")
        #expect(failure(file, MultipartLimits(fields: 0, files: 1, nameBytes: 3, filenameBytes: 4)) == nil)
        #expect(failure(file, MultipartLimits(files: 0)) == .tooManyFiles)
        #expect(failure(file, MultipartLimits(nameBytes: 2)) == .nameTooLong)
        #expect(failure(file, MultipartLimits(filenameBytes: 3)) == .nameTooLong)
        #expect(
            failure(Self.part("form-data; name=a", "Content-Transfer-Encoding: base64\r\n"), MultipartLimits())
                == .encoded)
        #expect(
            failure(Self.part("form-data; name=a", "Content-Transfer-Encoding: 8BIT\r\n"), MultipartLimits()) == nil)
    }

    @Test(
        "RFC 2046: boundaries",
        arguments: [
            ("multipart/form-data; boundary=x", "x"), ("multipart/form-data; charset=utf-8; Boundary=\"a b\"", "a b"),
            ("multipart/form-data;boundary=----WebKitFormBoundaryAb1", "----WebKitFormBoundaryAb1"),
            ("multipart/form-data; boundary=\"a:=?'()\"", "a:=?'()"), ("multipart/form-data", nil),
            ("multipart/form-data; boundary=", nil), ("multipart/form-data; boundary=\"\"", nil),
            ("multipart/form-data; boundary=a; boundary=b", nil), ("multipart/form-data; boundary=\"a \"", nil),
            ("multipart/form-data; boundary=\"a\r\nb\"", nil), ("multipart/form-data; boundary=é", nil),
            ("multipart/form-data; boundary=\"a", nil),
        ] as [(String, String?)])
    func boundaries(value: String, boundary: String?) {
        #expect(MultipartBoundary(contentType: value)?.text == boundary)
        let longest = String(repeating: "a", count: 70)
        #expect(MultipartBoundary(contentType: "multipart/form-data; boundary=\(longest)")?.text == longest)
        #expect(MultipartBoundary(contentType: "multipart/form-data; boundary=a\(longest)") == nil)
    }
}
