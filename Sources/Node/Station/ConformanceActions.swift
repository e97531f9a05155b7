import NIOCore
import Synchronization

/// Actions for tests of bodies, streams and pages, and for `scripts/streams.sh` and `scripts/mutate.sh`.
enum ConformanceActions {
    /// Bytes of one piece of a stream.
    private static let piece = 65_536
    /// More than any run sends.
    private static let longest = 8 << 30

    /// Streams whose source has not ended.
    private static let open = Atomic<Int>(0)

    /// What the source of a stream does at its end.
    private enum Ending: String {
        case end
        /// Throws.
        case fail
        /// Never comes.
        case hang
    }

    private struct SourceFailure: Error {}

    static func install(on station: Station) {
        self.installBodies(on: station)
        self.installStreams(on: station)
        self.installPages(on: station)
    }

    private static func installBodies(on station: Station) {
        station.action(.post, "/body") { request, _, reply in self.describe(request, reply) }
        station.action(.post, "/body/small", options: ActionOptions(maxBodyLength: 100, bufferFiles: 100)) {
            request, _, reply in self.describe(request, reply)
        }
        station.action(.post, "/body/none", options: ActionOptions(rejectsBody: true)) { request, _, reply in
            self.describe(request, reply)
        }
        station.action(.post, "/body/domestic", requires: [.loggedIn, .domestic]) { request, _, reply in
            self.describe(request, reply)
        }
        station.action(.put, "/body/binary", options: ActionOptions(binaryStreams: true)) { request, _, reply in
            try await self.count(request, reply)
        }
        let unbuffered = ActionOptions(maxBodyLength: self.longest, timeLimit: .seconds(3_600), neverBuffer: true)
        station.action(.put, "/sink", options: unbuffered) { request, _, reply in
            try await self.count(request, reply)
        }
        station.action(.put, "/sink/parts", options: unbuffered) { request, _, reply in
            guard let stream = request.stream else { throw ActionError(400, "BODY") }
            var parts: [JSONValue] = []
            var bytes: [Int64] = []
            for try await event in try stream.multipart() {
                switch event {
                case .part(let head):
                    parts.append(.string(head.filename ?? head.name))
                    bytes.append(0)
                case .bytes(let piece): bytes[bytes.count - 1] += Int64(piece.readableBytes)
                }
            }
            reply.content(["parts": .array(parts), "bytes": .array(bytes.map { .int($0) })] as JSONValue)
        }
        station.action(.put, "/sink/unread", options: unbuffered) { _, _, reply in reply.content(["read": false]) }
        station.action(.put, "/mirror", options: unbuffered) { request, _, reply in
            guard let stream = request.stream else { throw ActionError(400, "BODY") }
            reply.stream(200, stream, length: stream.length, type: stream.contentType)
        }
    }

    private static func describe(_ request: ActionRequest, _ reply: Reply) {
        let (kind, value): (String, JSONValue) =
            switch request.body {
            case .none: ("none", nil)
            case .json(let json): ("json", json)
            case .form(let fields): ("form", .object(fields.mapValues { .string($0) }))
            case .text(let text): ("text", .string(text))
            }
        reply.content(["kind": .string(kind), "value": value] as JSONValue)
        let files = request.files.map { file -> JSONValue in
            [
                "name": .string(file.name), "filename": .string(file.filename),
                "type": file.contentType.map { JSONValue.string($0) } ?? .null,
                "bytes": .int(Int64(file.bytes.readableBytes)),
            ]
        }
        reply.content(["files": files])
    }

    private static func count(_ request: ActionRequest, _ reply: Reply) async throws {
        guard let stream = request.stream else { return self.describe(request, reply) }
        var bytes = 0
        for try await piece in stream { bytes += piece.readableBytes }
        reply.content(
            ["bytes": .int(Int64(bytes)), "type": stream.contentType.map { JSONValue.string($0) } ?? .null] as JSONValue
        )
    }

    private static func installStreams(on station: Station) {
        station.action(.get, "/source", options: ActionOptions(timeLimit: .seconds(3_600))) { request, _, reply in
            let bytes = Int(request.query["bytes"] ?? "") ?? 0
            let ending = Ending(rawValue: request.query["ending"] ?? "end") ?? .end
            let left = Mutex(bytes)
            let filler = ByteBuffer(repeating: UInt8(ascii: "x"), count: self.piece)
            let token = OpenStream()
            reply.stream(200, length: request.query["length"].flatMap { Int($0) }, type: request.query["type"]) {
                withExtendedLifetime(token) {}
                let count = left.withLock { left in
                    defer { left -= min(left, self.piece) }
                    return min(left, self.piece)
                }
                if count > 0 { return filler.getSlice(at: 0, length: count) }
                switch ending {
                case .end: return nil
                case .fail: throw SourceFailure()
                case .hang:
                    try await Task.sleep(for: .seconds(3_600))
                    return nil
                }
            }
        }
        station.action(.get, "/source/open") { _, _, reply in
            reply.content(["open": self.open.load(ordering: .relaxed)])
        }
    }

    /// Is there as long as a stream's source is.
    private final class OpenStream: Sendable {
        init() { ConformanceActions.open.add(1, ordering: .relaxed) }
        deinit { ConformanceActions.open.subtract(1, ordering: .relaxed) }
    }

    private static func installPages(on station: Station) {
        let templates = Templates(
            default: "<!DOCTYPE html><title>{{title}}</title>{{>who}}<p>{{text}}</p>",
            statuses: [404: "<!DOCTYPE html><p>nothing at {{text}}{{error}}</p>"],
            partials: ["who": "<b>{{agent.standing}}</b>"], defaults: ["title": "conformance"])
        station.action(.get, "/page", options: ActionOptions(templates: templates)) { request, _, reply in
            reply.content(["text": request.query["text"]])
            reply.event("note", request.query["text"])
            reply.done(request.query["status"].flatMap { Int($0) })
        }
        station.action(.get, "/page/html") { request, _, reply in
            reply.content(["text": request.query["text"]])
            reply.html("<!DOCTYPE html><p>by hand</p>")
        }
        station.action(.get, "/never", options: ActionOptions(timeLimit: .milliseconds(200))) { _, _, _ in
            try await Task.sleep(for: .seconds(3_600))
        }
        station.action(.get, "/throws") { _, _, _ in throw SourceFailure() }
    }
}
