internal import Logging
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
        /// Content that could not be encoded: the answer is a 500.
        var failure: String?
    }

    private struct State {
        var outcome = Outcome()
        var isDone = false
        var latencies: [(name: String, value: Duration)] = []
    }

    /// Names that the pipeline measures itself (SPEC AC-13).
    static let reservedLatencies: Set<String> = ["total", "authenticate", "body", "run"]

    let answer = FirstAnswer<Result<Outcome, any Error>>()
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
