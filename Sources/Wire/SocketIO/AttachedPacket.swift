package import NIOCore

/// A binary packet with all of its attachments.
package struct AttachedPacket: Equatable, Sendable {
    /// Ranges of `text`.
    package let packet: SocketPacket
    /// The packet's text, copied: it outlived the read that brought it.
    package let text: ByteBuffer
    package let attachments: [ByteBuffer]
}
