package import NIOCore

/// The payload of a message of kind `event`: a finished Socket.IO packet and whom it is for (SPEC EV-1).
///
///     payload = version (1 byte: 1), flags (1 byte: 1 = client, 2 = event ID),
///               [client length (UInt16), client], [ID length (UInt16), ID],
///               packet length (UInt32), packet, attachment count (UInt16), (length (UInt32), bytes) * count
///
/// The receiving node only frames the packet and writes it; it never parses it.
package struct EventPayload: Sendable, Equatable {
    package static let version: UInt8 = 1
    private static let clientFlag: UInt8 = 1
    private static let identifierFlag: UInt8 = 2

    /// Only connections of this client; nil for all of the user.
    package var client: String?
    /// Reserved for recovery; nil as long as it is off.
    package var identifier: String?
    /// Text of the packet, without the Engine.IO type.
    package var packet: ByteBuffer
    /// Binary attachments, in the order of their placeholders.
    package var attachments: [ByteBuffer]

    package init(client: String?, identifier: String? = nil, packet: ByteBuffer, attachments: [ByteBuffer] = []) {
        self.client = client
        self.identifier = identifier
        self.packet = packet
        self.attachments = attachments
    }

    /// Encode once and share the buffer among all targets.
    package func encode() throws(EnvelopeError) -> ByteBuffer {
        let client = self.client?.utf8.count ?? 0
        let identifier = self.identifier?.utf8.count ?? 0
        guard client <= Int(UInt16.max), identifier <= Int(UInt16.max), self.attachments.count <= Int(UInt16.max)
        else { throw .messageTooLarge }
        let bytes = self.attachments.reduce(self.packet.readableBytes) { $0 + 4 + $1.readableBytes }
        let total = 2 + 2 + client + 2 + identifier + 4 + 2 + bytes
        guard total <= BusMessage.maximumSize else { throw .messageTooLarge }
        var buffer = ByteBufferAllocator().buffer(capacity: total)
        buffer.writeInteger(Self.version)
        buffer.writeInteger(
            (self.client == nil ? 0 : Self.clientFlag) | (self.identifier == nil ? 0 : Self.identifierFlag))
        for text in [self.client, self.identifier] {
            guard let text else { continue }
            buffer.writeInteger(UInt16(text.utf8.count))
            buffer.writeString(text)
        }
        buffer.writeInteger(UInt32(self.packet.readableBytes))
        buffer.writeImmutableBuffer(self.packet)
        buffer.writeInteger(UInt16(self.attachments.count))
        for attachment in self.attachments {
            buffer.writeInteger(UInt32(attachment.readableBytes))
            buffer.writeImmutableBuffer(attachment)
        }
        return buffer
    }

    /// - Returns: packet and attachments as slices of `buffer`, nothing copied.
    package static func decode(_ buffer: ByteBuffer) throws(EnvelopeError) -> EventPayload {
        var buffer = buffer
        guard let version = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard version == self.version else { throw .unknownVersion(version) }
        guard let flags = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        // A flag that is not known here announces bytes that cannot be skipped.
        guard flags & ~(self.clientFlag | self.identifierFlag) == 0 else { throw .missingField("flags") }
        let client = flags & self.clientFlag == 0 ? nil : try self.text(&buffer)
        let identifier = flags & self.identifierFlag == 0 ? nil : try self.text(&buffer)
        let packet = try self.slice(&buffer)
        guard let count = buffer.readInteger(as: UInt16.self), Int(count) <= buffer.readableBytes / 4
        else { throw .truncated }
        var attachments: [ByteBuffer] = []
        attachments.reserveCapacity(Int(count))
        for _ in 0..<count { attachments.append(try self.slice(&buffer)) }
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return EventPayload(client: client, identifier: identifier, packet: packet, attachments: attachments)
    }

    private static func slice(_ buffer: inout ByteBuffer) throws(EnvelopeError) -> ByteBuffer {
        guard let length = buffer.readInteger(as: UInt32.self), let slice = buffer.readSlice(length: Int(length))
        else { throw .truncated }
        return slice
    }

    private static func text(_ buffer: inout ByteBuffer) throws(EnvelopeError) -> String {
        guard let length = buffer.readInteger(as: UInt16.self), buffer.readableBytes >= Int(length)
        else { throw .truncated }
        guard let text = (buffer.withUnsafeReadableBytes { String(validating: $0.prefix(Int(length)), as: UTF8.self) })
        else { throw .invalidText }
        buffer.moveReaderIndex(forwardBy: Int(length))
        return text
    }
}
