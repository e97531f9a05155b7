package import NIOCore

/// Who is on the other side of a Link: the payload of a message of kind `roster` (SPEC LK-7, LK-12). Every recipient is told
/// of every peer, but for its own endpoint. The message's key is the route key of the recipients' user.
///
///     payload = version (1 byte: 1), change (1 byte: 1 = here, 2 = gone), token (text), gen (Int64),
///               label length (UInt32), label, recipients (texts), peers (count as UInt16, (SID, endpoint: texts) * count)
///     text    = length (UInt16), UTF-8; texts = count (UInt16), text * count
package struct PeerRoster: Sendable, Equatable {
    package static let version: UInt8 = 1

    package enum Change: UInt8, Sendable {
        case here = 1
        case gone = 2
    }

    package struct Peer: Sendable, Equatable {
        package var socket: String
        package var endpoint: String

        package init(socket: String, endpoint: String) {
            self.socket = socket
            self.endpoint = endpoint
        }
    }

    package var change: Change
    package var token: String
    package var generation: Int64
    /// JSON: what the recipients know the peers by.
    package var label: ByteBuffer
    /// SIDs.
    package var recipients: [String]
    package var peers: [Peer]

    package init(
        change: Change, token: String, generation: Int64, label: ByteBuffer, recipients: [String], peers: [Peer]
    ) {
        self.change = change
        self.token = token
        self.generation = generation
        self.label = label
        self.recipients = recipients
        self.peers = peers
    }

    package func encode() throws(EnvelopeError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.version)
        buffer.writeInteger(self.change.rawValue)
        try buffer.writeText(self.token)
        buffer.writeInteger(self.generation)
        buffer.writeInteger(UInt32(self.label.readableBytes))
        buffer.writeImmutableBuffer(self.label)
        try buffer.writeTexts(self.recipients)
        guard self.peers.count <= Int(UInt16.max) else { throw .messageTooLarge }
        buffer.writeInteger(UInt16(self.peers.count))
        for peer in self.peers {
            try buffer.writeText(peer.socket)
            try buffer.writeText(peer.endpoint)
        }
        guard buffer.readableBytes <= BusMessage.maximumSize else { throw .messageTooLarge }
        return buffer
    }

    package static func decode(_ buffer: ByteBuffer) throws(EnvelopeError) -> PeerRoster {
        var buffer = buffer
        guard let version = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard version == self.version else { throw .unknownVersion(version) }
        guard let code = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard let change = Change(rawValue: code) else { throw .missingField("change") }
        let token = try buffer.readText()
        guard let generation = buffer.readInteger(as: Int64.self) else { throw .truncated }
        let label = try buffer.readBytes()
        let recipients = try buffer.readTexts()
        guard let count = buffer.readInteger(as: UInt16.self), Int(count) <= buffer.readableBytes / 4
        else { throw .truncated }
        var peers: [Peer] = []
        peers.reserveCapacity(Int(count))
        for _ in 0..<count { peers.append(Peer(socket: try buffer.readText(), endpoint: try buffer.readText())) }
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return PeerRoster(
            change: change, token: token, generation: generation, label: label, recipients: recipients, peers: peers)
    }
}
