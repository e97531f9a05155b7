internal import Logging
public import NIOCore
internal import Synchronization

/// The answer of an action in the making (SPEC AC-7). It goes out once: on ``done(_:)``, or when the handler returns.
/// Calls after that are ignored and logged.
public final class Reply: Sendable {
    struct Outcome: Sendable {
        var status: Int?
        var content: JSONValue = [:]
        var events: [JSONValue] = []
        var html: String?
        var location: String?
        /// Which version of a thing the content is.
        var tag: String?
        /// Content that could not be encoded: the answer is a 500.
        var failure: String?
        /// Bytes in place of the content.
        var stream: AnswerStream?
    }

    private struct State {
        var outcome = Outcome()
        var isDone = false
        var latencies: [(name: String, value: Duration)] = []
    }

    /// Names that the pipeline measures itself (SPEC AC-13).
    static let reservedLatencies: Set<String> = ["total", "authenticate", "body", "run"]

    let answer = FirstAnswer<Result<Outcome, any Error>>()
    /// The stream that the reply began has ended, in whatever way.
    let streamEnd = OneTimeSignal()
    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// Adds to the content: objects are merged at every depth, anything else replaces what was there.
    ///
    /// A value that JSON cannot hold makes the answer a 500.
    public func content(_ value: some Encodable) {
        self.change("content") { outcome in
            do { outcome.content.merge(try JSONValue(encoding: value)) } catch { outcome.failure = "\(error)" }
        }
    }

    /// Sends an event to the requester, with the answer.
    public func event(_ name: String, _ arguments: any Encodable...) {
        self.change("event") { outcome in
            do {
                outcome.events.append(.array([.string(name)] + (try arguments.map { try JSONValue(encoding: $0) })))
            } catch {
                outcome.failure = "\(error)"
            }
        }
    }

    /// Sends events, each its name and arguments.
    public func events(_ events: [[JSONValue]]) {
        self.change("events") { outcome in
            for event in events {
                guard event.first?.string != nil else {
                    outcome.failure = "an event starts with its name"
                    continue
                }
                outcome.events.append(.array(event))
            }
        }
    }

    /// A page for requesters that want one; others get the content.
    public func html(_ page: String) {
        self.change("html") { $0.html = page }
    }

    /// Answers 302, and sends the event `["redirect", url]` before all others.
    ///
    /// - Throws: ``ActionError`` 400 for a URL with control characters or spaces, as it may come from the requester.
    public func redirect(_ url: String) throws(ActionError) {
        guard !url.isEmpty, url.unicodeScalars.allSatisfy({ $0.value > 0x20 && !(0x7F...0x9F).contains($0.value) })
        else {
            throw ActionError(400, "URL")
        }
        self.change("redirect") { outcome in
            if outcome.location != nil { outcome.events.removeFirst() }
            outcome.location = url
            outcome.events.insert(["redirect", .string(url)], at: 0)
        }
    }

    /// Says which version of a thing the content is: `ETag`. Only the control API does.
    func tag(_ text: String) {
        self.change("tag") { $0.tag = text }
    }

    /// Takes back everything said so far.
    public func clear() {
        self.change("clear") { $0 = Outcome() }
    }

    /// Sends the answer now.
    ///
    /// - Parameter status: 200 to 599 (anything else is answered as 500); nil: 302 of a redirect, else 200.
    public func done(_ status: Int? = nil) {
        let outcome = self.state.withLock { state -> Outcome? in
            guard !state.isDone else { return nil }
            state.isDone = true
            state.outcome.status = status ?? (state.outcome.location == nil ? 200 : 302)
            if let status, !(200...599).contains(status) { state.outcome.failure = "\(status) is no final status" }
            return state.outcome
        }
        guard let outcome, self.answer.offer(.success(outcome)) else { return self.complain("done") }
    }

    /// Sends the answer now: these bytes in place of content and page (SPEC AC-7). They are asked for as fast as the
    /// requester takes them; when it goes away, the task that asks is cancelled and the sequence is dropped. One that throws
    /// cuts the answer off. The handler may go on to produce them: where its time is up it is cancelled only once the stream
    /// has ended.
    ///
    /// Events travel with it over sockets only.
    ///
    /// - Parameters:
    ///   - status: 200 to 599, but 204, 205 and 304, which have no bytes.
    ///   - bytes: pieces of any size. It must heed the cancellation of the task that iterates.
    ///   - length: bytes in all, if known. A sequence that has more or fewer is an error and cuts the answer off.
    ///   - type: a media type; `application/octet-stream` where there is none.
    public func stream<Bytes: AsyncSequence & Sendable>(
        _ status: Int = 200, _ bytes: Bytes, length: Int? = nil, type: String? = nil
    ) where Bytes.Element == ByteBuffer, Bytes.AsyncIterator: SendableMetatype {
        self.begin(status, AnswerStream(length: length, type: type, bytes: bytes))
    }

    /// The same with a closure that gives the next piece each time, and nil at the end.
    ///
    /// - Parameter next: never called again before it has returned. The task is cancelled when the requester goes away.
    public func stream(
        _ status: Int = 200, length: Int? = nil, type: String? = nil,
        next: @escaping @Sendable () async throws -> ByteBuffer?
    ) {
        self.stream(status, PulledPieces(next: next), length: length, type: type)
    }

    private func begin(_ status: Int, _ stream: AnswerStream) {
        let outcome = self.state.withLock { state -> Outcome? in
            guard !state.isDone else { return nil }
            state.isDone = true
            state.outcome.status = status
            if !(200...599).contains(status) || [204, 205, 304].contains(status) {
                state.outcome.failure = "\(status) is no status of a stream"
            } else if let length = stream.length, length < 0 {
                state.outcome.failure = "a stream of \(length) bytes"
            } else if let type = stream.type, !Self.isMediaType(type) {
                state.outcome.failure = "a stream of a type that is none"
            }
            if state.outcome.failure == nil { state.outcome.stream = stream }
            return state.outcome
        }
        if let outcome, self.answer.offer(.success(outcome)) {
            if outcome.stream == nil { stream.cancel() }
        } else {
            stream.cancel()
            self.complain("stream")
        }
    }

    /// Whether the text can stand in a header field, and looks like `type/subtype`.
    static func isMediaType(_ text: String) -> Bool {
        text.utf8.count <= 256 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            && text.wholeMatch(of: /[!-:<-~]+\/[!-:<-~]+( *;.*)?/) != nil
    }

    /// Adds a latency to the action's log line (SPEC AC-13). A name that is there already keeps its value.
    public func latency(_ name: String, _ value: Duration) {
        self.state.withLock { state in
            guard !Self.reservedLatencies.contains(name), !state.latencies.contains(where: { $0.name == name }),
                state.latencies.count < 32
            else { return }
            state.latencies.append((name, value))
        }
    }

    var latencies: [(name: String, value: Duration)] { self.state.withLock(\.latencies) }
    var isStreaming: Bool { self.state.withLock { $0.outcome.stream != nil } }

    /// The handler returned: the answer goes out unless it has.
    func finish() {
        let isDone = self.state.withLock(\.isDone)
        if !isDone { self.done() }
    }

    /// Closes the reply with an error.
    /// - Returns: false when the answer is out already.
    func fail(_ error: any Error) -> Bool {
        self.state.withLock { $0.isDone = true }
        return self.answer.offer(.failure(error))
    }

    private func change(_ call: StaticString, _ body: (inout Outcome) -> Void) {
        let isLate = self.state.withLock { state in
            if !state.isDone { body(&state.outcome) }
            return state.isDone
        }
        if isLate { self.complain(call) }
    }

    private func complain(_ call: StaticString) {
        self.logger.warning("reply: a call after the answer is ignored", metadata: ["call": "\(call)"])
    }
}
