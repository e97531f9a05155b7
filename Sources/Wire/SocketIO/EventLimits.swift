/// What an event that we send may measure (SPEC EV-4, SOCKETIO §10.2).
package struct EventLimits: Equatable, Sendable {
    /// The most that `maxBytes` can be set to.
    package static let ceiling = 1 << 20

    /// Bytes of the packet's text and its attachments.
    package let maxBytes: Int
    /// UTF-8 bytes of the name.
    package let maxNameBytes: Int
    /// Attachments of one event; clients drop the connection above ten.
    package let maxAttachments: Int

    /// - Parameter maxBytes: 64 KiB by default; values above 1 MiB are cut to it.
    package init(maxBytes: Int = 65_536, maxNameBytes: Int = 128, maxAttachments: Int = 10) {
        self.maxBytes = min(maxBytes, Self.ceiling)
        self.maxNameBytes = maxNameBytes
        self.maxAttachments = min(maxAttachments, 10)
    }
}

/// Why an event cannot be sent. The caller's fault, and told to the caller; no client notices.
package enum EventError: Error, Equatable, Sendable {
    /// The name is empty or longer than `EventLimits.maxNameBytes`.
    case nameLength
    /// The name is one of Socket.IO's own.
    case reservedName
    case tooLarge(bytes: Int, limit: Int)
    case tooManyAttachments(limit: Int)
    /// The argument at this index is not one JSON value in UTF-8, or is nested too deeply.
    case invalidJSON(argument: Int)
    /// The argument at this index has an object that clients would take for an attachment of this event.
    case placeholder(argument: Int)
}
