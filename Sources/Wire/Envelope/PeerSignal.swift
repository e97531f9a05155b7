package import NIOCore

/// A finished `peer` packet for one connection: the payload of a message of kind `peer` (SPEC LK-9). The message's key is the
/// route key of that connection's user.
///
///     payload = version (1 byte: 1), flags (1 byte), to (text), [client (text)], [token, from, sender (texts)],
///               packet length (UInt32), packet
///     text    = length (UInt16), UTF-8
///     flags   = 1: client, 2: return address, 4: forwarded
package struct PeerSignal: Sendable, Equatable {
    package static let version: UInt8 = 1

    /// Whom to tell that nobody was there.
    package struct ReturnAddress: Sendable, Equatable {
        package var token: String
        /// The SID of the sender, and the route key of its user.
        package var from: String
        package var sender: String

        package init(token: String, from: String, sender: String) {
            self.token = token
            self.from = from
            self.sender = sender
        }
    }

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let client = Flags(rawValue: 1)
        static let address = Flags(rawValue: 2)
        static let forwarded = Flags(rawValue: 4)
        static let known: Flags = [.client, .address, .forwarded]
    }

    /// The SID that it is for.
    package var to: String
    /// The client that the connection must be of; nil: any of the user.
    package var client: String?
    /// nil for an answer: of that nobody has to be told.
    package var address: ReturnAddress?
    /// Whether it was at another node before: then it goes no further.
    package var isForwarded: Bool
    /// Text of the packet, without the Engine.IO type.
    package var packet: ByteBuffer

    package init(
        to: String, client: String?, address: ReturnAddress?, isForwarded: Bool = false, packet: ByteBuffer
    ) {
        self.to = to
        self.client = client
        self.address = address
        self.isForwarded = isForwarded
        self.packet = packet
    }

    package func encode() throws(EnvelopeError) -> ByteBuffer {
        var flags: Flags = []
        if self.client != nil { flags.insert(.client) }
        if self.address != nil { flags.insert(.address) }
        if self.isForwarded { flags.insert(.forwarded) }
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.version)
        buffer.writeInteger(flags.rawValue)
        try buffer.writeText(self.to)
        if let client { try buffer.writeText(client) }
        if let address {
            try buffer.writeText(address.token)
            try buffer.writeText(address.from)
            try buffer.writeText(address.sender)
        }
        buffer.writeInteger(UInt32(self.packet.readableBytes))
        buffer.writeImmutableBuffer(self.packet)
        guard buffer.readableBytes <= BusMessage.maximumSize else { throw .messageTooLarge }
        return buffer
    }

    /// - Returns: the packet as a slice of `buffer`.
    package static func decode(_ buffer: ByteBuffer) throws(EnvelopeError) -> PeerSignal {
        var buffer = buffer
        guard let version = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard version == self.version else { throw .unknownVersion(version) }
        guard let bits = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        let flags = Flags(rawValue: bits)
        guard Flags.known.isSuperset(of: flags) else { throw .missingField("flags") }
        let to = try buffer.readText()
        let client = flags.contains(.client) ? try buffer.readText() : nil
        var address: ReturnAddress?
        if flags.contains(.address) {
            address = ReturnAddress(
                token: try buffer.readText(), from: try buffer.readText(), sender: try buffer.readText())
        }
        let packet = try buffer.readBytes()
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return PeerSignal(
            to: to, client: client, address: address, isForwarded: flags.contains(.forwarded), packet: packet)
    }
}
