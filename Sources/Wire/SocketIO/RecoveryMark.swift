/// The events of one kind that one node incarnation hands out numbers for (SOCKETIO §14).
package struct RecoveryStream: Hashable, Sendable, Comparable {
    package enum Kind: UInt8, Sendable {
        /// Sends by identity.
        case identity = 0
        /// Broadcasts to namespaces and rooms.
        case broadcast = 1
    }

    /// 48 bits of the sending node's ID, which is random itself.
    package let sender: UInt64
    package let kind: Kind

    /// - Parameter sender: bits above the lower 48 are dropped.
    package init(sender: UInt64, kind: Kind) {
        self.sender = sender & 0xFFFF_FFFF_FFFF
        self.kind = kind
    }

    /// The form in documents: 48 bits of sender, 8 bits of kind; positive as an `Int64`.
    package var code: Int64 { Int64(self.sender << 8 | UInt64(self.kind.rawValue)) }

    package init?(code: Int64) {
        guard code >= 0, code < 1 << 56, let kind = Kind(rawValue: UInt8(truncatingIfNeeded: code)) else { return nil }
        self.init(sender: UInt64(code) >> 8, kind: kind)
    }

    package static func < (left: RecoveryStream, right: RecoveryStream) -> Bool { left.code < right.code }
}

/// Which event of a stream this is. Numbers rise in sending order per receiver; others' events lie between.
package struct RecoveryMark: Hashable, Sendable {
    package let stream: RecoveryStream
    /// From 1, below 2^62.
    package let number: Int64

    package static let numberLimit: Int64 = 1 << 62

    package init(stream: RecoveryStream, number: Int64) {
        self.stream = stream
        self.number = number
    }
}
