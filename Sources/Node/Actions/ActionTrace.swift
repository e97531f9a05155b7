internal import Logging
internal import Metrics

/// What is known of one action for its line in the log and its metrics (SPEC AC-13).
struct ActionTrace {
    private static let clock = ContinuousClock()

    var action: Action?
    var agent: Agent?
    var reply: Reply?
    /// With the fields of the trace that the request came with.
    let logger: Logger
    private let call: ActionCall
    private let start = Self.clock.now
    private var latencies: [(name: String, value: Duration)] = []

    init(_ call: ActionCall, _ logger: Logger) {
        self.call = call
        var logger = logger
        if let span = call.trace?.span {
            for (key, value) in Logger.Metadata(span) { logger[metadataKey: key] = value }
        }
        self.logger = logger
    }

    mutating func measure<Value>(_ name: String, _ body: () async throws -> Value) async throws -> Value {
        let start = Self.clock.now
        defer { self.latencies.append((name, Self.clock.now - start)) }
        return try await body()
    }

    /// Counts and logs an answer that is complete.
    func finish(_ answer: ActionAnswer) {
        self.measure(answer)
        self.log(answer)
    }

    /// Counts the answer, which is on its way: of a stream, its head.
    func measure(_ answer: ActionAnswer) {
        let total = Self.clock.now - self.start
        let name = self.action?.label ?? self.action?.name ?? "none"
        let dimensions = [
            ("action", name), ("transport", self.call.transport.rawValue), ("status", String(answer.status)),
        ]
        Timer(label: "submergence_action_seconds", dimensions: dimensions).recordNanoseconds(Self.nanoseconds(total))
        if answer.status >= 400 {
            Counter(label: "submergence_errors_total", dimensions: [("code", Self.code(answer))]).increment()
        }
    }

    /// Writes the action's line: once, when its answer is complete.
    func log(_ answer: ActionAnswer, _ more: Logger.Metadata = [:]) {
        let total = Self.clock.now - self.start
        let name = self.action?.name ?? "none"
        let format = answer.stream != nil ? "stream" : answer.html != nil ? "html" : "json"
        var metadata: Logger.Metadata = [
            "domain": "\(self.call.domain)", "transport": "\(self.call.transport.rawValue)",
            "method": "\(Self.printable(self.call.method.rawValue))",
            // Without the query, which may hold secrets.
            "path": "\(Self.printable(Self.split(self.call.target).path))", "action": "\(name)",
            "status": "\(answer.status)", "format": "\(format)",
            "ms.total": "\(Self.milliseconds(total))",
        ]
        for (name, value) in self.latencies + (self.reply?.latencies ?? []) {
            metadata["ms.\(Self.printable(name))"] = "\(Self.milliseconds(value))"
        }
        metadata.merge(more) { $1 }
        self.logger.info("action", metadata: metadata)
    }

    static func split(_ target: String) -> (path: String, query: Substring) {
        let target = target.prefix { $0 != "#" }
        guard let mark = target.firstIndex(of: "?") else { return (String(target), "") }
        return (String(target[..<mark]), target[target.index(after: mark)...])
    }

    /// The error's word, where it looks like one: a label must not grow with what people send.
    private static func code(_ answer: ActionAnswer) -> String {
        guard let code = answer.content["error"]?.string, (1...32).contains(code.utf8.count),
            code.utf8.allSatisfy({ (0x41...0x5A).contains($0) || $0 == UInt8(ascii: "_") })
        else { return "OTHER" }
        return code
    }

    /// A requester's text in one line of bounded length.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(512).map { $0.value < 0x20 || $0 == "\u{7F}" ? "?" : $0 }))
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let micros = self.nanoseconds(duration) / 1_000
        let rest = String(micros % 1_000)
        return "\(micros / 1_000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
