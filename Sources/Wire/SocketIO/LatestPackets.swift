/// Packets of which only the newest of each key counts, while a slow transport cannot take them (``Delivery/latest(key:)``).
/// Bounded in keys and bytes.
package struct LatestPackets {
    package enum Outcome: Equatable, Sendable {
        case added
        /// An older one of the same key has given way.
        case replaced
        /// The limit is reached: the socket is a slow consumer.
        case full
    }

    /// Keys of one socket.
    package static let maximumKeys = 1_024

    private var packets: [OutboundPacket] = []
    private var places: [String: Int] = [:]
    private var bytes = 0

    package init() {}

    package var isEmpty: Bool { self.packets.isEmpty }

    /// - Parameter limit: bytes that may wait, as `EngineOptions.maxQueuedBytes`.
    package mutating func put(_ packet: OutboundPacket, key: String, limit: Int) -> Outcome {
        let cost = packet.byteCount + PollingQueue.packetOverhead
        guard let place = self.places[key] else {
            guard self.packets.count < Self.maximumKeys, self.bytes + cost <= limit else { return .full }
            self.places[key] = self.packets.count
            self.packets.append(packet)
            self.bytes += cost
            return .added
        }
        let before = self.packets[place].byteCount + PollingQueue.packetOverhead
        guard self.bytes - before + cost <= limit else { return .full }
        self.bytes += cost - before
        self.packets[place] = packet
        return .replaced
    }

    /// Takes all of them, in the order in which their keys first came.
    package mutating func take() -> [OutboundPacket] {
        defer { self = LatestPackets() }
        return self.packets
    }
}
