package import NIOCore

/// One message between two nodes, as it travels inside an envelope (SPEC ND-6: `{y, k, p, src}`).
package struct BusMessage: Sendable, Equatable {
    /// What the message is about. The raw value is the wire form; never renumber (SPEC ND-6: versions interoperate).
    package enum Kind: UInt8, Sendable, CaseIterable {
        case event = 1
        case peer = 2
        case roster = 3
        case room = 4
        case kick = 5
        case invalidate = 6
        case link = 7
        case ack = 8
        case config = 9
        /// A node's own probe through its inbox (SPEC ND-10). Never leaves the bus layer.
        case probe = 10

        /// Whether the message loses its worth with age and may be dropped under pressure (SPEC ND-7, ND-8).
        package var isPerishable: Bool {
            switch self {
            case .event, .peer, .roster: true
            case .room, .kick, .invalidate, .link, .ack, .config, .probe: false
            }
        }
    }

    /// Largest encoded message, in bytes (SPEC ND-6).
    package static let maximumSize = 1 << 20

    package var kind: Kind
    /// The route key in text form (`domain/user`); empty for messages that concern no single user.
    package var key: String
    /// Kind-specific bytes; for ``Kind/event`` an ``EventPayload``.
    package var payload: ByteBuffer
    /// Where the message came from inside the sending node, kind-specific; mostly empty.
    package var source: String

    package init(kind: Kind, key: String, payload: ByteBuffer, source: String = "") {
        self.kind = kind
        self.key = key
        self.payload = payload
        self.source = source
    }
}
