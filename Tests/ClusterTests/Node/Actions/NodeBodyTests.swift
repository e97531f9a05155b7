import Logging
import NIOCore
import Synchronization
import Testing

@testable import Node

/// A body that comes piece by piece, and how it ends.
private final class NodeTestBody: ActionBodySource {
    let length: Int?
    private let pieces: Mutex<[ByteBuffer]>
    private let error: ActionBodyError?
    let asked = Mutex<[Bool]>([])

    init(_ pieces: [String], length: Int? = nil, error: ActionBodyError? = nil) {
        self.pieces = Mutex(pieces.map { ByteBuffer(string: $0) })
        self.length = length
        self.error = error
    }

    func willStream() {}

    func next(_ patience: ActionBodyPatience) async throws(ActionBodyError) -> ByteBuffer? {
        let isStream = if case .piece = patience { true } else { false }
        self.asked.withLock { $0.append(isStream) }
        let piece = self.pieces.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if piece == nil, let error = self.error { throw error }
        return piece
    }
}

@Suite("AC-5: bodies")
struct NodeBodyTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    private static let form = "multipart/form-data; boundary=x"

    private static func call(_ target: String, _ body: NodeTestBody, type: String?) -> ActionCall {
        ActionCall(
            transport: .http, method: .post, target: target, domain: "example.org", address: "192.0.2.1",
            contentType: type, body: .stream(body), authenticate: { NodeTestLogin.guest() })
    }

    private static func part(_ disposition: String, _ content: String, type: String? = nil) -> String {
        "--x\r\nContent-Disposition: form-data; \(disposition)\r\n" + (type.map { "Content-Type: \($0)\r\n" } ?? "")
            + "\r\n\(content)\r\n"
    }

    private static func filler(_ count: Int) -> String { String(repeating: "y", count: count) }

    /// An action that shows what it was given.
    private static func showing(_ options: ActionOptions = ActionOptions()) -> Action {
        Action(.post, "/", options: options) { request, _, reply in
            if case .form(let fields) = request.body { reply.content(["fields": fields]) }
            let files = request.files.map {
                "\($0.name) \($0.filename) \($0.contentType ?? "-") \(String(buffer: $0.bytes))"
            }
            reply.content(["files": files, "type": [request.contentType ?? "-"]])
            if let stream = request.stream {
                var text = ""
                for try await piece in stream { text += "|" + String(buffer: piece) }
                reply.content(["stream": text, "as": stream.contentType ?? "-"])
                reply.content(["length": stream.length])
            }
        }
    }

    @Test("AC-5: fields are flat strings, the last one wins; files are in memory, with name, type and bytes")
    func multipart() async throws {
        let pipeline = try self.pipeline([Self.showing()])
        let body =
            Self.part("name=a", "1") + Self.part("name=f; filename=\"one.txt\"", "hello", type: "text/plain")
            + Self.part("name=a", "é") + Self.part("name=f; filename=two", "") + Self.part("name=g; filename=\"\"", "")
            + "--x--\r\n"
        for pieces in [[body], body.map { String($0) }] {
            let answer = await pipeline.run(Self.call("/", NodeTestBody(pieces), type: Self.form))
            #expect(answer.status == 200)
            #expect(answer.content["fields"] == ["a": "é"])
            #expect(answer.content["files"] == ["f one.txt text/plain hello", "f two - "])
            #expect(answer.content["type"] == ["multipart/form-data"])
        }
    }

    @Test(
        "AC-5, AC-12: what is no form is 400, what is too large 413, another encoding 415",
        arguments: [
            ([part("name=a", "1")], 400), ([""], 400), ([part("name=a", "1"), "--x--"], 200), (["--x--"], 200),
            ([part("name=a", "1", type: "text/plain"), "--x--"], 200), ([part("nam=a", "1"), "--x--"], 400),
            ([part("name=a", filler(110)), "--x--"], 413), ([part("name=a", filler(90)), "--x--"], 200),
            ([part("name=a; filename=b", filler(100)), "--x--"], 200),
            ([part("name=a; filename=b", filler(101)), "--x--"], 413),
            ([part("name=a; filename=b", filler(50)), part("name=a; filename=b", filler(51)), "--x--"], 413),
            ([filler(200), "\r\n--x--"], 413), (["--x--", filler(200)], 413),
            ([part("name=a", ""), part("name=a", ""), part("name=a", ""), "--x--"], 413),
        ] as [([String], Int)])
    func multipartLimits(parts: [String], status: Int) async throws {
        let body = parts.joined()
        let options = ActionOptions(
            maxBodyLength: 150, bufferFiles: 100, multipart: MultipartLimits(headerBytes: 110, fields: 2, nameBytes: 10)
        )
        let pipeline = try self.pipeline([Self.showing(options)])
        #expect(await pipeline.run(Self.call("/", NodeTestBody([body]), type: Self.form)).status == status)
        #expect(
            await pipeline.run(Self.call("/", NodeTestBody(body.map { String($0) }), type: Self.form)).status == status)
    }

    @Test("AC-5: a form without a usable boundary is 400")
    func noBoundary() async throws {
        let pipeline = try self.pipeline([Self.showing()])
        for type in ["multipart/form-data", "multipart/form-data; boundary=\"\""] {
            #expect(await pipeline.run(Self.call("/", NodeTestBody(["--x--"]), type: type)).status == 400)
        }
    }

    @Test("ID-4: _domestic in a multipart form is a proof; handlers never see it")
    func proof() async throws {
        let node = NodeTestIdentity()
        let cookies = try await node.login()
        let token = try #require(cookies.first { $0.name == "__Host-domestic" }).value
        let seen = Mutex<[String: String]?>(nil)
        let pipeline = try self.pipeline([
            Action(.post, "/", requires: .domestic) { request, _, _ in
                if case .form(let fields) = request.body { seen.withLock { $0 = fields } }
            }
        ])
        for (value, status) in [(token, 200), ("x" + token, 403)] {
            let answer = await pipeline.run(
                ActionCall(
                    transport: .http, method: .post, target: "/", domain: "example.org", address: "",
                    contentType: Self.form,
                    body: .bytes(
                        ByteBuffer(string: Self.part("name=a", "1") + Self.part("name=_domestic", value) + "--x--")),
                    authenticate: { try await node.agent(cookies: cookies, origin: .own) }))
            #expect(answer.status == status)
        }
        #expect(seen.withLock(\.self) == ["a": "1"])
    }

    @Test(
        "AC-5: binaryStreams and neverBuffer",
        arguments: [
            (ActionOptions(), "application/octet-stream", 415, nil), (ActionOptions(), "image/png", 415, nil),
            (ActionOptions(binaryStreams: true), "image/png; q=1", 200, "|ab|c"),
            (ActionOptions(binaryStreams: true), nil, 200, "|ab|c"),
            (ActionOptions(binaryStreams: true), "text/plain", 200, nil),
            (ActionOptions(neverBuffer: true), "application/json", 200, "|ab|c"),
            (ActionOptions(neverBuffer: true), "multipart/form-data; boundary=x", 200, "|ab|c"),
            (ActionOptions(rejectsBody: true, neverBuffer: true), "image/png", 413, nil),
        ] as [(ActionOptions, String?, Int, String?)])
    func streams(options: ActionOptions, type: String?, status: Int, text: String?) async throws {
        let pipeline = try self.pipeline([Self.showing(options)])
        let body = NodeTestBody(["ab", "c"], length: 3)
        let answer = await pipeline.run(Self.call("/", body, type: type))
        #expect(answer.status == status)
        #expect(answer.content["stream"]?.string == text)
        if text != nil {
            #expect(answer.content["as"]?.string == type ?? "-" && answer.content["length"] == 3)
            // Each piece has its time, not the whole.
            #expect(body.asked.withLock { $0 } == [true, true, true])
        }
    }

    @Test("AC-5, AC-12: a stream beyond its limit throws in the handler, and its answer is 413; one that is slow 408")
    func streamLimits() async throws {
        let thrown = Mutex<[Int]>([])
        let pipeline = try self.pipeline([
            Action(.post, "/", options: ActionOptions(maxBodyLength: 4, neverBuffer: true)) { request, _, _ in
                do {
                    for try await _ in try #require(request.stream) {}
                } catch let error as ActionError {
                    thrown.withLock { $0.append(error.status) }
                    throw error
                }
            }
        ])
        #expect(await pipeline.run(Self.call("/", NodeTestBody(["ab", "cd"]), type: nil)).status == 200)
        #expect(await pipeline.run(Self.call("/", NodeTestBody(["ab", "cd", "e"]), type: nil)).status == 413)
        #expect(await pipeline.run(Self.call("/", NodeTestBody(["a"], error: .slow), type: nil)).status == 408)
        #expect(await pipeline.run(Self.call("/", NodeTestBody(["a"], error: .broken), type: nil)).status == 400)
        #expect(thrown.withLock { $0 } == [413, 408, 400])
        // What says that it is too long is refused before the handler.
        let long = NodeTestBody(["abcde"], length: 5)
        #expect(await pipeline.run(Self.call("/", long, type: nil)).status == 413)
        #expect(thrown.withLock { $0 }.count == 3 && long.asked.withLock { $0 }.isEmpty)
    }

    @Test("AC-5: the parts of a streamed form")
    func streamedForm() async throws {
        let pipeline = try self.pipeline([
            Action(.post, "/", options: ActionOptions(neverBuffer: true)) { request, _, reply in
                var seen: [String] = []
                for try await event in try #require(request.stream).multipart() {
                    switch event {
                    case .part(let head): seen.append(head.filename ?? head.name)
                    case .bytes(let bytes): seen.append(String(buffer: bytes))
                    }
                }
                reply.content(["seen": seen])
            }
        ])
        let body = NodeTestBody([Self.part("name=a", "1"), Self.part("name=b; filename=c", "22") + "--x", "--"])
        #expect(await pipeline.run(Self.call("/", body, type: Self.form)).content == ["seen": ["a", "1", "c", "22"]])
        #expect(await pipeline.run(Self.call("/", NodeTestBody(["--x"]), type: Self.form)).status == 400)
        #expect(await pipeline.run(Self.call("/", NodeTestBody(["--x"]), type: "text/plain")).status == 415)
        #expect(await pipeline.run(Self.call("/", NodeTestBody(["--x"]), type: "multipart/form-data")).status == 400)
    }
}
