import NIOCore

/// The connections of one device of a user on one event loop, and what waits for them in this tick.
final class Device {
    let key: RouteKey
    let client: String
    /// WebSocket members that are ready: they share one coalesced buffer a tick.
    var streaming: [any LocalConnection] = []
    /// Polling and pending members: they take packets one by one.
    var queueing: [any LocalConnection] = []
    /// Frames of this tick; cleared at reuse, as clearing a shared buffer allocates.
    var frames = ByteBuffer()
    var isDirty = false
    /// The next device of the same user: most users have one, so no array.
    var next: Device?
    /// nil while recovery is off.
    let trail: RecoveryTrail?

    init(key: RouteKey, client: String, trail: RecoveryTrail?) {
        self.key = key
        self.client = client
        self.trail = trail
    }

    var count: Int { self.streaming.count + self.queueing.count }
    var isEmpty: Bool { self.streaming.isEmpty && self.queueing.isEmpty }

    func seat(_ connection: any LocalConnection, isStreaming: Bool) {
        let seat = isStreaming ? self.streaming.count : self.queueing.count
        if isStreaming { self.streaming.append(connection) } else { self.queueing.append(connection) }
        connection.place = ConnectionPlace(device: self, seat: Int32(seat), isStreaming: isStreaming)
    }

    /// Removes by swapping with the last member: O(1) in a mass close.
    func unseat(_ connection: any LocalConnection) {
        let place = connection.place
        if place.isStreaming {
            Self.remove(Int(place.seat), from: &self.streaming)
        } else {
            Self.remove(Int(place.seat), from: &self.queueing)
        }
        connection.place = .nowhere
    }

    private static func remove(_ seat: Int, from members: inout [any LocalConnection]) {
        let last = members.removeLast()
        if seat < members.count {
            members[seat] = last
            last.place.seat = Int32(seat)
        }
    }
}
