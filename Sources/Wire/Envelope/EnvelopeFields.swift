import NIOCore

/// The fields that the payloads of bus messages are made of. Lengths come first, and are checked before anything is made.
extension ByteBuffer {
    /// Length as UInt16, UTF-8.
    mutating func writeText(_ text: String) throws(EnvelopeError) {
        guard text.utf8.count <= Int(UInt16.max) else { throw .messageTooLarge }
        self.writeInteger(UInt16(text.utf8.count))
        self.writeString(text)
    }

    mutating func readText() throws(EnvelopeError) -> String {
        guard let length = self.readInteger(as: UInt16.self), self.readableBytes >= Int(length)
        else { throw .truncated }
        guard let text = self.withUnsafeReadableBytes({ String(validating: $0.prefix(Int(length)), as: UTF8.self) })
        else { throw .invalidText }
        self.moveReaderIndex(forwardBy: Int(length))
        return text
    }

    /// Count as UInt16, texts.
    mutating func writeTexts(_ texts: [String]) throws(EnvelopeError) {
        guard texts.count <= Int(UInt16.max) else { throw .messageTooLarge }
        self.writeInteger(UInt16(texts.count))
        for text in texts { try self.writeText(text) }
    }

    mutating func readTexts() throws(EnvelopeError) -> [String] {
        guard let count = self.readInteger(as: UInt16.self), Int(count) <= self.readableBytes / 2
        else { throw .truncated }
        var texts: [String] = []
        texts.reserveCapacity(Int(count))
        for _ in 0..<count { texts.append(try self.readText()) }
        return texts
    }

    /// Length as UInt32, bytes.
    mutating func readBytes() throws(EnvelopeError) -> ByteBuffer {
        guard let length = self.readInteger(as: UInt32.self), let slice = self.readSlice(length: Int(length))
        else { throw .truncated }
        return slice
    }

    /// Text with its length as UInt32, count of attachments as UInt16, each with its length as UInt32.
    mutating func writePacket(_ text: ByteBuffer, _ attachments: [ByteBuffer]) throws(EnvelopeError) {
        guard attachments.count <= Int(UInt16.max) else { throw .messageTooLarge }
        self.writeInteger(UInt32(text.readableBytes))
        self.writeImmutableBuffer(text)
        self.writeInteger(UInt16(attachments.count))
        for attachment in attachments {
            self.writeInteger(UInt32(attachment.readableBytes))
            self.writeImmutableBuffer(attachment)
        }
    }

    mutating func readPacket() throws(EnvelopeError) -> (text: ByteBuffer, attachments: [ByteBuffer]) {
        let text = try self.readBytes()
        guard let count = self.readInteger(as: UInt16.self), Int(count) <= self.readableBytes / 4
        else { throw .truncated }
        var attachments: [ByteBuffer] = []
        attachments.reserveCapacity(Int(count))
        for _ in 0..<count { attachments.append(try self.readBytes()) }
        return (text, attachments)
    }
}
