package import NIOCore

/// The binary form of a batch of messages, the field `b` of an envelope (SPEC ND-6).
///
///     batch   = format (1 byte), count (UInt32), message * count
///     message = kind (1 byte), key length (UInt16), source length (UInt16), payload length (UInt32), key, source, payload
///
/// Integers are big-endian. A message of an unknown kind is skipped and counted, so that neighbouring versions may add
/// kinds; any other surprise refuses the whole batch by name. Nothing that bytes can say makes the reader trap.
package enum MessageBatch {
    /// Format and count.
    package static let headerSize = 5
    /// What a message costs beside its key, source and payload.
    package static let messageOverhead = 9

    /// Messages of a batch that are known here, and how many were not.
    package struct Decoded: Sendable, Equatable {
        package var messages: [BusMessage]
        package var unknownKinds: Int
    }

    /// What a message will cost in a batch. To be asked before it is queued: what passes here can be encoded.
    package static func size(of message: BusMessage) throws(EnvelopeError) -> Int {
        let key = message.key.utf8.count
        let source = message.source.utf8.count
        guard key <= Int(UInt16.max), source <= Int(UInt16.max) else { throw .messageTooLarge }
        let size = self.messageOverhead + key + source + message.payload.readableBytes
        guard size <= BusMessage.maximumSize else { throw .messageTooLarge }
        return size
    }

    /// The batch of an envelope that was given up: it fills its place in the sequence and carries nothing (SPEC ND-7).
    package static let empty: ByteBuffer = {
        var buffer = ByteBufferAllocator().buffer(capacity: Self.headerSize)
        buffer.writeInteger(UInt8(Formats.oldest))
        buffer.writeInteger(UInt32(0))
        return buffer
    }()

    package static func encode(
        _ messages: some Collection<BusMessage>, _ formats: Formats = .current
    ) throws(EnvelopeError) -> ByteBuffer {
        var total = self.headerSize
        for message in messages { total += try self.size(of: message) }
        guard total <= Envelope.maximumSize else { throw .batchTooLarge }
        var buffer = ByteBufferAllocator().buffer(capacity: total)
        buffer.writeInteger(UInt8(formats.written))
        buffer.writeInteger(UInt32(messages.count))
        for message in messages {
            // One append for the fixed part; the lengths were checked by `size`.
            buffer.writeMultipleIntegers(
                message.kind.rawValue, UInt16(message.key.utf8.count), UInt16(message.source.utf8.count),
                UInt32(message.payload.readableBytes))
            buffer.writeString(message.key)
            if !message.source.isEmpty { buffer.writeString(message.source) }
            buffer.writeImmutableBuffer(message.payload)
        }
        return buffer
    }

    /// - Returns: payloads that are slices of `buffer`; they keep its storage alive.
    package static func decode(
        _ buffer: ByteBuffer, _ formats: Formats = .current
    ) throws(EnvelopeError) -> Decoded {
        var buffer = buffer
        guard let version = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard formats.reads(Int(version)) else { throw .unknownVersion(version) }
        guard let count = buffer.readInteger(as: UInt32.self) else { throw .truncated }
        // The count is a claim: what it reserves is bounded by the bytes that are there.
        guard Int(count) <= buffer.readableBytes / self.messageOverhead else { throw .truncated }
        var decoded = Decoded(messages: [], unknownKinds: 0)
        decoded.messages.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard
                let (kind, keyLength, sourceLength, payloadLength) = buffer.readMultipleIntegers(
                    as: (UInt8, UInt16, UInt16, UInt32).self)
            else { throw .truncated }
            let size = self.messageOverhead + Int(keyLength) + Int(sourceLength) + Int(payloadLength)
            guard size <= BusMessage.maximumSize else { throw .messageTooLarge }
            let key = try self.text(&buffer, length: Int(keyLength))
            let source = try self.text(&buffer, length: Int(sourceLength))
            guard let payload = buffer.readSlice(length: Int(payloadLength)) else { throw .truncated }
            guard let kind = BusMessage.Kind(rawValue: kind) else {
                decoded.unknownKinds += 1
                continue
            }
            decoded.messages.append(BusMessage(kind: kind, key: key, payload: payload, source: source))
        }
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return decoded
    }

    private static func text(_ buffer: inout ByteBuffer, length: Int) throws(EnvelopeError) -> String {
        if length == 0 { return "" }
        guard buffer.readableBytes >= length else { throw .truncated }
        guard let text = (buffer.withUnsafeReadableBytes { String(validating: $0.prefix(length), as: UTF8.self) })
        else { throw .invalidText }
        buffer.moveReaderIndex(forwardBy: length)
        return text
    }
}
