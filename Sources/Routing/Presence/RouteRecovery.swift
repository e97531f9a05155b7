/// What a committer needs to know while connection state recovery is on (SOCKETIO §14).
package struct RouteRecovery: Sendable {
    /// How long a client may be away, 2 min, in milliseconds.
    package var window: Int64
    /// Where a user's events are logged, asked when its first recoverable connection is committed.
    package var place: @Sendable (RouteKey) -> String

    /// Connections of a user that may be away at once; of more, the oldest go.
    package static let awayLimit = 64

    /// Rooms of a recoverable connection, and UTF-8 bytes of their names: every route of the user is read with them.
    package static let roomLimit = 64
    package static let roomBytes = 8 << 10

    /// Whether a connection that is in these rooms is recoverable.
    package static func takes(rooms: [String]) -> Bool {
        rooms.count <= self.roomLimit && rooms.reduce(0) { $0 + $1.utf8.count } <= self.roomBytes
    }

    package init(window: Int64 = 120_000, place: @escaping @Sendable (RouteKey) -> String) {
        self.window = window
        self.place = place
    }
}

/// A connection that was taken over by its client's private ID.
package struct RecoveredConnection: Sendable, Equatable {
    /// The SID that it keeps.
    package var socket: SocketID
    /// The route version at which it was committed first: what was sent at an older one is not for it.
    package var base: Int64
    /// The client was there until then at least, in milliseconds of the primary's clock.
    package var since: Int64
    package var logPlace: String
    /// When its client came for the first time, in milliseconds of the primary's clock: what was broadcast before is not
    /// for it.
    package var first: Int64
    /// The rooms that it is in.
    package var rooms: [String]
    /// Connections that gave way: the one of the same SID whose loss had not been noticed, and others of the endpoint. Told
    /// apart by ``RouteDocument/Connection/isHeld(by:)``, as SID and node may be the same.
    package var superseded: [RouteDocument.Connection]
}
