package import NIOCore

/// Collects the attachments of a binary packet (SOCKETIO §10.2): bounded in number, bytes and time. Eight bytes while
/// nothing is awaited.
package struct AttachmentAssembler {
    private final class Pending {
        let packet: SocketPacket
        let text: ByteBuffer
        let deadline: NIODeadline
        var attachments: [ByteBuffer] = []
        var bytes: Int

        init(packet: SocketPacket, text: ByteBuffer, deadline: NIODeadline) {
            self.packet = packet
            self.text = text
            self.deadline = deadline
            self.bytes = text.readableBytes
        }
    }

    private var pending: Pending?

    package init() {}

    package var isPending: Bool { self.pending != nil }

    /// When the attachments have to be complete; nil while none are awaited.
    package var deadline: NIODeadline? { self.pending?.deadline }

    /// The text of a packet with attachments has come. It is copied.
    package mutating func begin(
        _ packet: SocketPacket, text: UnsafeRawBufferPointer, at now: NIODeadline, options: SocketOptions
    ) {
        precondition(self.pending == nil && packet.attachmentCount > 0, "one packet at a time, with attachments")
        self.pending = Pending(
            packet: packet, text: ByteBuffer(bytes: text), deadline: now + options.attachmentTimeout)
    }

    /// A binary message has come. It is copied.
    ///
    /// - Returns: the packet, once its last attachment is here.
    package mutating func receive(
        _ bytes: UnsafeRawBufferPointer, options: SocketOptions
    ) throws(SocketPacketError) -> AttachedPacket? {
        guard let pending = self.pending else { throw .unexpectedAttachment }
        pending.bytes += bytes.count
        guard pending.bytes <= options.maxPacketBytes else {
            self.pending = nil
            throw .packetTooLarge
        }
        pending.attachments.append(ByteBuffer(bytes: bytes))
        guard pending.attachments.count == Int(pending.packet.attachmentCount) else { return nil }
        self.pending = nil
        return AttachedPacket(packet: pending.packet, text: pending.text, attachments: pending.attachments)
    }

    /// Drops what is awaited: the session has ended.
    package mutating func reset() { self.pending = nil }
}

@available(*, unavailable) extension AttachmentAssembler: Sendable {}
