import NIOCore
import Wire

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
    /// Packets in ``frames``, and their bytes.
    var packets: Int { Int(self.packetCount) }
    var bytes: Int { Int(self.byteCount) }
    // Of one tick: small, as there is a device for nearly every connection.
    private var packetCount: Int32 = 0
    private var byteCount: UInt32 = 0
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

    /// Gathers one more packet for this tick.
    func gather(_ packet: OutboundPacket) {
        packet.writeFrames(into: &self.frames)
        self.packetCount += 1
        self.byteCount = UInt32(clamping: Int(self.byteCount) + packet.byteCount)
    }

    /// Of the tick before nothing is left.
    func beginGathering() {
        // Not as large as it was: where a slow reader still holds the last one, this allocates.
        self.frames.clear(minimumCapacity: 256)
        self.packetCount = 0
        self.byteCount = 0
    }

    func seat(_ connection: any LocalConnection, isStreaming: Bool) {
        let seat =
            isStreaming ? Self.add(connection, to: &self.streaming) : Self.add(connection, to: &self.queueing)
        connection.place = ConnectionPlace(device: self, seat: Int32(seat), isStreaming: isStreaming)
    }

    private static func add(_ connection: any LocalConnection, to members: inout [any LocalConnection]) -> Int {
        // Most devices have a single connection for good: no room for four.
        if members.isEmpty { members.reserveCapacity(1) }
        members.append(connection)
        return members.count - 1
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
        } else if members.isEmpty {
            members = []  // gives back its memory
        }
    }
}
