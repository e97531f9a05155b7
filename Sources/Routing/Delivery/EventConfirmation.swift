package import Wire

/// What a node asks of another one beside delivering an event, in the message's source, which an older node does not look
/// at: `confirm:N` to say what it has written (SPEC EV-2; what is silent counts as unknown), `trace:ID` to write down what
/// becomes of it, or both with a space between them.
package enum EventConfirmation {
    private static let mark = "confirm:"
    private static let traceMark = "trace:"

    /// The source of an event's message.
    /// - Parameter request: of ``ClusterRequests``.
    package static func source(_ request: UInt64?, trace: TraceID? = nil) -> String {
        let parts = [request.map { "\(self.mark)\($0)" }, trace.map { self.traceMark + $0.text }]
        return parts.compactMap(\.self).joined(separator: " ")
    }

    /// - Returns: the request; nil for an event that nobody asks about.
    package static func request(of message: BusMessage) -> UInt64? {
        self.value(self.mark, of: message).flatMap { UInt64($0) }
    }

    /// - Returns: nil for an event that is not traced.
    package static func trace(of message: BusMessage) -> TraceID? {
        self.value(self.traceMark, of: message).flatMap { TraceID($0) }
    }

    private static func value(_ mark: String, of message: BusMessage) -> Substring? {
        guard !message.source.isEmpty, message.kind == .event else { return nil }
        let part = message.source.split(separator: " ").first { $0.hasPrefix(mark) }
        return part?.dropFirst(mark.utf8.count)
    }
}
