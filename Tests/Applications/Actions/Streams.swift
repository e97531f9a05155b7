import NIOCore
import Synchronization

/// What has become of the streams of a test, by their names.
final class Streams: Sendable {
    struct State: Codable {
        /// Bytes that were asked for.
        var pulled = 0
        /// `open`, `hanging`, `read`, `failed` or `cancelled`.
        var end = "open"
    }

    private let states = Mutex<[String: State]>([:])

    func state(of name: String) -> State { self.states.withLock { $0[name] ?? State(end: "unknown") } }

    func change(_ name: String, _ body: (inout State) -> Void) {
        self.states.withLock { body(&$0[name, default: State()]) }
    }
}

/// Bytes that a test can check: 0 to 250, again and again. Whoever drops it before its end has cancelled it.
final class Pattern: Sendable {
    private struct Failed: Error {}

    private let name: String
    private let streams: Streams
    private let bytes: Int
    private let piece: Int
    private let hangs: Bool
    private let fails: Bool
    private let position = Mutex(0)

    init(_ name: String, _ query: [String: String], _ streams: Streams) {
        self.name = name
        self.streams = streams
        self.bytes = query["bytes"].flatMap { Int($0) } ?? 0
        self.piece = query["piece"].flatMap { Int($0) } ?? 65_536
        self.hangs = query["hang"] != nil
        self.fails = query["fail"] != nil
        streams.change(name) { $0 = .init() }
    }

    deinit {
        self.streams.change(self.name) { if $0.end == "open" || $0.end == "hanging" { $0.end = "cancelled" } }
    }

    func next() async throws -> ByteBuffer? {
        if self.hangs {
            self.streams.change(self.name) { $0.end = "hanging" }
            for await _ in AsyncStream<Never>.makeStream().stream {}
            throw CancellationError()
        }
        let range = self.position.withLock { position in
            let start = position
            position = min(self.bytes, position + self.piece)
            return start..<position
        }
        guard !range.isEmpty else {
            self.streams.change(self.name) { $0.end = self.fails ? "failed" : "read" }
            if self.fails { throw Failed() }
            return nil
        }
        self.streams.change(self.name) { $0.pulled += range.count }
        return ByteBuffer(bytes: range.map { UInt8($0 % 251) })
    }
}
