import Logging
import NIOCore
import Synchronization
import Testing

@testable import Node

@Suite("AC-7, AC-10: streamed answers")
struct NodeStreamTests: NodeActionSuite {
    let pool = NodeTestPool()
    let lines = NodeTestLines()

    /// Pieces that are there at once, then the end or an error; knows whether it still is there.
    private final class Pieces: AsyncSequence, Sendable {
        typealias Element = ByteBuffer

        struct Broken: Error {}

        let texts: [String]
        let fails: Bool
        init(_ texts: [String], fails: Bool = false) { (self.texts, self.fails) = (texts, fails) }

        struct AsyncIterator: AsyncIteratorProtocol {
            let owner: Pieces
            var index = 0

            mutating func next() async throws -> ByteBuffer? {
                guard self.index < self.owner.texts.count else {
                    if self.owner.fails { throw Broken() }
                    return nil
                }
                defer { self.index += 1 }
                return ByteBuffer(string: self.owner.texts[self.index])
            }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(owner: self) }
    }

    private static func read(_ stream: AnswerStream) async throws -> String {
        var text = ""
        while let piece = try await stream.next() { text += String(buffer: piece) }
        return text
    }

    private var logged: [Logger.Metadata] { self.lines.all.filter { $0.message == "action" }.map(\.metadata) }

    @Test("AC-7: a sequence or a closure in place of content; later calls are ignored")
    func streams() async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/sequence") { _, _, reply in
                reply.stream(206, Pieces(["ab", "", "c"]), length: 3, type: "text/plain; charset=utf-8")
                reply.content(["late": true])
                reply.stream(200, Pieces(["x"]))
                reply.done(500)
            },
            Action(.get, "/closure") { _, _, reply in
                let left = Mutex(["1", "2"])
                reply.stream { left.withLock { $0.isEmpty ? nil : ByteBuffer(string: $0.removeFirst()) } }
            },
        ])
        let sequence = await pipeline.run(Self.call(.get, "/sequence"))
        let stream = try #require(sequence.stream)
        #expect(sequence.status == 206 && stream.length == 3 && stream.type == "text/plain; charset=utf-8")
        #expect(self.logged.isEmpty)
        #expect(try await Self.read(stream) == "abc")
        #expect(self.logged.count == 1)
        let line = try #require(self.logged.first)
        #expect(line["format"] == "stream" && line["stream"] == "complete" && line["bytes"] == "3")
        await self.pool.settle()
        let warnings = self.lines.all.filter { $0.message.hasPrefix("reply:") }.compactMap { $0.metadata["call"] }
        #expect(warnings == ["content", "stream", "done"])
        let closure = try #require(await pipeline.run(Self.call(.get, "/closure")).stream)
        #expect(closure.length == nil && closure.type == nil)
        #expect(try await Self.read(closure) == "12")
    }

    @Test(
        "AC-7: what cannot be a stream's head is a 500",
        arguments: [
            (99, nil, nil), (204, nil, nil), (304, nil, nil), (600, nil, nil), (200, -1, nil), (200, nil, "text"),
            (200, nil, "text/plain\r\nX: y"), (200, nil, ""), (200, nil, "text/é"),
        ] as [(Int, Int?, String?)])
    func invalid(status: Int, length: Int?, type: String?) async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/") { _, _, reply in reply.stream(status, Pieces([]), length: length, type: type) }
        ])
        let answer = await pipeline.run(Self.call(.get, "/"))
        #expect(answer.status == 500 && answer.stream == nil)
    }

    @Test(
        "AC-7: a source that fails, or whose bytes are not as many as it says, throws and is logged with an opaque id",
        arguments: [
            (["ab"], true, nil), ([], true, 0), (["ab"], false, 3), (["ab", "cd"], false, 3), (["a"], false, 0),
        ] as [([String], Bool, Int?)])
    func failing(pieces: [String], fails: Bool, length: Int?) async throws {
        let pipeline = try self.pipeline([
            Action(.get, "/") { _, _, reply in reply.stream(200, Pieces(pieces, fails: fails), length: length) }
        ])
        let stream = try #require(await pipeline.run(Self.call(.get, "/")).stream)
        await #expect(throws: (any Error).self) { try await Self.read(stream) }
        stream.cancel()
        let error = try #require(self.lines.all.first { $0.message == "answer stream failed" })
        #expect(error.metadata["id"] != nil && error.metadata["action"] == "GET /")
        #expect(self.logged.count == 1 && self.logged[0]["stream"] == "failed")
        #expect(self.logged[0]["id"] == error.metadata["id"])
    }

    @Test("AC-10: cancelling ends a source that waits, drops it, and is logged once")
    func cancelling() async throws {
        let (waits, ended) = (OneTimeSignal(), OneTimeSignal())
        let pieces = Mutex([ByteBuffer(string: "a")])
        let bytes = AsyncStream<ByteBuffer>(
            unfolding: {
                if let piece = pieces.withLock({ $0.popLast() }) { return piece }
                waits.fire()
                await OneTimeSignal().wait()
                return nil
            }, onCancel: { ended.fire() })
        let pipeline = try self.pipeline([Action(.get, "/") { _, _, reply in reply.stream(200, bytes) }])
        let stream = try #require(await pipeline.run(Self.call(.get, "/")).stream)
        #expect(try await stream.next() == ByteBuffer(string: "a"))
        async let waiting = stream.next()
        await waits.wait()
        stream.cancel()
        stream.cancel()
        do {
            _ = try await waiting
            Issue.record("a piece of a stream that was cancelled")
        } catch {
            #expect(error is CancellationError)
        }
        await ended.wait()
        await #expect(throws: CancellationError.self) { try await stream.next() }
        #expect(self.logged.map { $0["stream"] } == ["cancelled"] && self.logged[0]["bytes"] == "1")
    }

    @Test("AC-12: the time limit counts until the stream begins; a handler that produces it may go on")
    func producing() async throws {
        let isUp = OneTimeSignal()
        let gate = OneTimeSignal()
        let outcome = Mutex<Bool?>(nil)
        let pipeline = try self.pipeline([
            Action(.get, "/") { _, _, reply in
                let (bytes, continuation) = AsyncStream<ByteBuffer>.makeStream()
                reply.stream(200, bytes)
                await gate.wait()
                outcome.withLock { $0 = Task.isCancelled }
                continuation.yield(ByteBuffer(string: "late"))
                continuation.finish()
            }
        ]) { _ in await isUp.wait() }
        let stream = try #require(await pipeline.run(Self.call(.get, "/")).stream)
        isUp.fire()
        gate.fire()
        #expect(try await Self.read(stream) == "late")
        await self.pool.settle()
        #expect(outcome.withLock(\.self) == false)
    }

    @Test("AC-12: a stream that begins after 504 is cancelled")
    func tooLate() async throws {
        let ended = OneTimeSignal()
        let gate = OneTimeSignal()
        let pipeline = try self.pipeline([
            Action(.get, "/") { _, _, reply in
                let (bytes, continuation) = AsyncStream<ByteBuffer>.makeStream()
                continuation.onTermination = { _ in ended.fire() }
                // Does not care that it is cancelled.
                await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                    gate.fire()
                    done.resume()
                }
                while !Task.isCancelled { await Task.yield() }
                reply.stream(200, bytes)
            }
        ]) { _ in await gate.wait() }
        #expect(await pipeline.run(Self.call(.get, "/")).status == 504)
        await self.pool.settle()
        await ended.wait()
    }
}
