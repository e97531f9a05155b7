package import Wire

/// One entry of the recovery log.
package struct RecoveryEntry: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        case event(OutboundPacket)
        /// An event of this mark was sent, but may not be in the log: history across it is not complete.
        case hole
    }

    /// The user, or ``scopeKey(of:)`` for a broadcast. nil for a hole that may concern every user of the place: then only its time counts.
    package var key: RouteKey?
    package var mark: RecoveryMark
    /// The version of the route document that the sender saw *before* it wrote the entry: connections that were committed
    /// at a later one did not exist when the event was sent.
    package var version: Int64
    /// Whom the event is for, as in ``ConnectionIndex/Delivery``.
    package var client: String?
    package var socket: SocketID?
    /// Milliseconds of the primary's clock, never falling in one stream.
    package var time: Int64
    package var content: Content
    /// Of a broadcast: the rooms that it was for, none for all of the namespace, and those that it was not for.
    package var target: RoomTarget

    package init(
        key: RouteKey?, mark: RecoveryMark, version: Int64, client: String? = nil, socket: SocketID? = nil,
        time: Int64, content: Content, target: RoomTarget = RoomTarget()
    ) {
        self.key = key
        self.mark = mark
        self.version = version
        self.client = client
        self.socket = socket
        self.time = time
        self.content = content
        self.target = target
    }

    /// Under which broadcasts to `/` of a domain are kept. No user has this name: it is a control character.
    package static func scopeKey(of domain: String) -> RouteKey { RouteKey(domain: domain, user: "\u{1}") }

    /// The hole that this event leaves where it could not be added.
    package var asHole: RecoveryEntry {
        var hole = self
        hole.content = .hole
        return hole
    }

    package var byteCount: Int {
        let names = (self.target.rooms + self.target.except).reduce(0) { $0 + $1.utf8.count + 8 }
        return if case .event(let packet) = self.content { packet.byteCount + names } else { names }
    }
}
