package import NIOCore

/// What a node reports about a request of another one: the payload of a message of kind `ack` (SOCKETIO §13). A node may
/// report in several parts.
///
///     payload = version (1 byte: 1), request (UInt64), flags (1 byte: 1 = expected),
///               [expected (UInt32)], count (UInt32), (kind (1 byte: 0 = none, 1 = value), [packet]) * count
package struct RoomReply: Sendable, Equatable {
    package static let version: UInt8 = 1
    private static let expectedFlag: UInt8 = 1

    /// One contribution: JSON text with the attachments that it refers to, or nothing where somebody who was asked is
    /// gone.
    package struct Item: Sendable, Equatable {
        package var text: ByteBuffer
        package var attachments: [ByteBuffer]

        package init(text: ByteBuffer, attachments: [ByteBuffer] = []) {
            self.text = text
            self.attachments = attachments
        }

        package var byteCount: Int { self.attachments.reduce(self.text.readableBytes) { $0 + $1.readableBytes } }
    }

    package var request: UInt64
    /// Items that the node will report in all, with the first part; nil in later ones.
    package var expected: UInt32?
    /// nil: nothing will come of this one.
    package var items: [Item?]

    package init(request: UInt64, expected: UInt32?, items: [Item?]) {
        self.request = request
        self.expected = expected
        self.items = items
    }

    package func encode() throws(EnvelopeError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.version)
        buffer.writeInteger(self.request)
        buffer.writeInteger(self.expected == nil ? 0 : Self.expectedFlag)
        if let expected = self.expected { buffer.writeInteger(expected) }
        buffer.writeInteger(UInt32(self.items.count))
        for item in self.items {
            buffer.writeInteger(item == nil ? 0 : 1 as UInt8)
            if let item { try buffer.writePacket(item.text, item.attachments) }
        }
        guard buffer.readableBytes <= BusMessage.maximumSize else { throw .messageTooLarge }
        return buffer
    }

    package static func decode(_ buffer: ByteBuffer) throws(EnvelopeError) -> RoomReply {
        var buffer = buffer
        guard let version = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard version == self.version else { throw .unknownVersion(version) }
        guard let request = buffer.readInteger(as: UInt64.self), let flags = buffer.readInteger(as: UInt8.self)
        else { throw .truncated }
        guard flags & ~self.expectedFlag == 0 else { throw .missingField("flags") }
        var expected: UInt32?
        if flags & self.expectedFlag != 0 {
            guard let count = buffer.readInteger(as: UInt32.self) else { throw .truncated }
            expected = count
        }
        // Each item has a byte at least.
        guard let count = buffer.readInteger(as: UInt32.self), Int(count) <= buffer.readableBytes
        else { throw .truncated }
        var items: [Item?] = []
        items.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let kind = buffer.readInteger(as: UInt8.self) else { throw .truncated }
            switch kind {
            case 0: items.append(nil)
            case 1:
                let (text, attachments) = try buffer.readPacket()
                items.append(Item(text: text, attachments: attachments))
            default: throw .missingField("item")
            }
        }
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return RoomReply(request: request, expected: expected, items: items)
    }
}
