package import NIOCore

/// The payload of a message of kind `event`: a finished Socket.IO packet and whom it is for (SPEC EV-1).
///
///     payload = version (1 byte: 1), flags (1 byte), [client (text)], [socket (text)], [number (UInt64)], [latest (text)],
///               packet length (UInt32), packet, attachment count (UInt16), (length (UInt32), bytes) * count
///     text    = length (UInt16), UTF-8
///     flags   = 1: client, 4: socket, 8: number, 16: volatile, 32: latest; 2 was never written
package struct EventPayload: Sendable, Equatable {
    package static let version: UInt8 = 1

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let client = Flags(rawValue: 1)
        static let socket = Flags(rawValue: 4)
        static let number = Flags(rawValue: 8)
        static let volatile = Flags(rawValue: 16)
        static let latest = Flags(rawValue: 32)
        static let known: Flags = [.client, .socket, .number, .volatile, .latest]
    }

    /// Only connections of this client; nil for all of the user.
    package var client: String?
    /// Only the connection of this SID; nil for all.
    package var socket: String?
    /// Its number in the recovery log, in the sender's stream of sends by identity; nil for an event that is not there.
    package var number: Int64?
    package var mode: Delivery
    /// Text of the packet, without the Engine.IO type.
    package var packet: ByteBuffer
    /// Binary attachments, in the order of their placeholders.
    package var attachments: [ByteBuffer]

    package init(
        client: String?, socket: String? = nil, number: Int64? = nil, mode: Delivery = .required, packet: ByteBuffer,
        attachments: [ByteBuffer] = []
    ) {
        self.client = client
        self.socket = socket
        self.number = number
        self.mode = mode
        self.packet = packet
        self.attachments = attachments
    }

    /// Encode once and share the buffer among all targets.
    package func encode() throws(EnvelopeError) -> ByteBuffer {
        var flags: Flags = []
        var latest: String?
        if self.client != nil { flags.insert(.client) }
        if self.socket != nil { flags.insert(.socket) }
        if self.number != nil { flags.insert(.number) }
        switch self.mode {
        case .required: break
        case .volatile: flags.insert(.volatile)
        case .latest(let key):
            flags.insert(.latest)
            latest = key
        }
        let texts = [self.client, self.socket, latest].compactMap { $0?.utf8.count }
        guard texts.allSatisfy({ $0 <= Int(UInt16.max) }), self.attachments.count <= Int(UInt16.max)
        else { throw .messageTooLarge }
        let bytes = self.attachments.reduce(self.packet.readableBytes) { $0 + 4 + $1.readableBytes }
        let total = 2 + texts.reduce(0) { $0 + 2 + $1 } + (self.number == nil ? 0 : 8) + 4 + 2 + bytes
        guard total <= BusMessage.maximumSize else { throw .messageTooLarge }
        var buffer = ByteBufferAllocator().buffer(capacity: total)
        buffer.writeInteger(Self.version)
        buffer.writeInteger(flags.rawValue)
        Self.write(self.client, into: &buffer)
        Self.write(self.socket, into: &buffer)
        if let number = self.number { buffer.writeInteger(number) }
        Self.write(latest, into: &buffer)
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
        guard let bits = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        let flags = Flags(rawValue: bits)
        // A flag that is not known here announces bytes that cannot be skipped.
        guard Flags.known.isSuperset(of: flags), !flags.isSuperset(of: [.volatile, .latest])
        else { throw .missingField("flags") }
        let client = flags.contains(.client) ? try self.text(&buffer) : nil
        let socket = flags.contains(.socket) ? try self.text(&buffer) : nil
        let number = flags.contains(.number) ? try self.number(&buffer) : nil
        var mode = flags.contains(.volatile) ? Delivery.volatile : .required
        if flags.contains(.latest) { mode = .latest(key: try self.text(&buffer)) }
        let packet = try self.slice(&buffer)
        guard let count = buffer.readInteger(as: UInt16.self), Int(count) <= buffer.readableBytes / 4
        else { throw .truncated }
        var attachments: [ByteBuffer] = []
        attachments.reserveCapacity(Int(count))
        for _ in 0..<count { attachments.append(try self.slice(&buffer)) }
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return EventPayload(
            client: client, socket: socket, number: number, mode: mode, packet: packet, attachments: attachments)
    }

    private static func write(_ text: String?, into buffer: inout ByteBuffer) {
        guard let text else { return }
        buffer.writeInteger(UInt16(text.utf8.count))
        buffer.writeString(text)
    }

    private static func slice(_ buffer: inout ByteBuffer) throws(EnvelopeError) -> ByteBuffer {
        guard let length = buffer.readInteger(as: UInt32.self), let slice = buffer.readSlice(length: Int(length))
        else { throw .truncated }
        return slice
    }

    private static func number(_ buffer: inout ByteBuffer) throws(EnvelopeError) -> Int64 {
        guard let number = buffer.readInteger(as: Int64.self) else { throw .truncated }
        guard number > 0, number < RecoveryMark.numberLimit else { throw .missingField("number") }
        return number
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
