package import Wire

/// How a node asks another one to say what it has written of an event (SPEC EV-2): by the message's source, which an older
/// node does not look at. That delivers the event and is silent, and what is silent counts as unknown.
package enum EventConfirmation {
    private static let mark = "confirm"

    /// The source of an event's message.
    /// - Parameter request: of ``ClusterRequests``.
    package static func source(_ request: UInt64) -> String { "\(self.mark):\(request)" }

    /// - Returns: the request; nil for an event that nobody asks about.
    package static func request(of message: BusMessage) -> UInt64? {
        guard message.kind == .event, message.source.hasPrefix(self.mark + ":") else { return nil }
        return UInt64(message.source.dropFirst(self.mark.utf8.count + 1))
    }
}
