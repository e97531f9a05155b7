package import Wire

/// What a client that comes back asks of the recovery log.
package struct RecoveryQuery: Sendable {
    package var key: RouteKey
    package var client: String
    /// The SID that it keeps.
    package var socket: SocketID
    /// What it has; empty for one that was never sent anything.
    package var position: RecoveryPosition
    /// ``RecoveredConnection/base``.
    package var base: Int64
    /// ``RecoveredConnection/since``.
    package var since: Int64
    /// ``RecoveredConnection/first``.
    package var first: Int64
    /// ``RecoveredConnection/rooms``.
    package var rooms: [String]
    /// Seconds of the primary's clock.
    package var now: Int64
    package var limits = Limits()

    package struct Limits: Sendable {
        /// Events that a client is replayed at most, 10,000; one that missed more is not recovered.
        package var events = 10_000
        /// Their bytes, 4 MiB: what a socket may have unsent (SPEC EV-4).
        package var bytes = 4 << 20

        package init() {}
    }

    package init(
        key: RouteKey, client: String, socket: SocketID, position: RecoveryPosition, base: Int64, since: Int64,
        first: Int64, rooms: [String], now: Int64
    ) {
        self.key = key
        self.client = client
        self.socket = socket
        self.position = position
        self.base = base
        self.since = since
        self.first = first
        self.rooms = rooms
        self.now = now
    }

    /// The client was lost some time before that was noticed, clocks differ, and entries are under way for a while: history
    /// has to reach this much further back than `since`. In milliseconds.
    package static let margin: Int64 = 60_000

    /// What the log must still hold everything from, in milliseconds of the primary's clock.
    package var horizon: Int64 { self.since - Self.margin }

    /// Whether the client has not been given the entry, were it for this client.
    package func isNew(_ entry: RecoveryEntry) -> Bool {
        if entry.key == nil { return entry.time >= self.horizon }
        // Also of a known sender: one that sent before this client came may have been heard of late.
        if entry.key == self.scopeKey, entry.time <= self.earliestBroadcast { return false }
        if let number = self.position[entry.mark.stream] { return entry.mark.number > number }
        guard entry.time > self.position.floor * 1000 else { return false }
        return entry.key == self.scopeKey || entry.version >= self.base
    }

    /// Where the broadcasts are that it may have missed.
    package var scopeKey: RouteKey { RecoveryEntry.scopeKey(of: self.key.domain) }

    /// What clocks of nodes may differ by, in milliseconds.
    package static let clockSkew: Int64 = 1_000

    /// What was broadcast up to then is not for it, in milliseconds of the primary's clock.
    package var earliestBroadcast: Int64 { self.first - Self.clockSkew }

    /// The rooms that it is in, its own among them.
    package var roomNames: [String] { self.rooms + [self.socket.text] }

    package func isFor(_ entry: RecoveryEntry) -> Bool {
        if entry.key == self.scopeKey { return self.isFor(entry.target) }
        return (entry.client == nil || entry.client == self.client)
            && (entry.socket == nil || entry.socket == self.socket)
    }

    private func isFor(_ target: RoomTarget) -> Bool {
        let names = self.roomNames
        return (target.rooms.isEmpty || target.rooms.contains { names.contains($0) })
            && !target.except.contains { names.contains($0) }
    }
}
