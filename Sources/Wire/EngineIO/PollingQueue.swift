package import NIOCore

/// What a polling session has to send and nobody has fetched: bounded in bytes (SPEC EV-4), in order, each packet with
/// its attachments right behind it. Shares the bytes of broadcasts until a poll takes them.
package struct PollingQueue {
    private enum Entry {
        case control(EnginePacketType)
        case packet(OutboundPacket)
        case binary(ByteBuffer)
    }

    /// What a packet counts besides its bytes, so that a long run of small ones is bounded too (SOCKETIO §18).
    package static let packetOverhead = 64
    private static let separator: UInt8 = 0x1E

    private var entries: [Entry] = []
    /// Bytes that count against the limit.
    package private(set) var cost = 0

    package init() {}

    package var isEmpty: Bool { self.entries.isEmpty }

    /// Appends `2` or `6`; not counted, for there is at most one of each.
    package mutating func append(_ type: EnginePacketType) { self.entries.append(.control(type)) }

    /// Appends a packet and its attachments as one unit.
    ///
    /// - Parameter limit: `EngineOptions.maxQueuedBytes`.
    /// - Returns: false, with nothing appended, where that would exceed it: drop a volatile packet, else end the session as
    ///   `slowConsumer`.
    package mutating func append(_ packet: OutboundPacket, limit: Int) -> Bool {
        self.append(
            .packet(packet), cost: packet.byteCount + Self.packetOverhead * (packet.attachments.count + 1), limit: limit
        )
    }

    /// Appends a binary message of its own, without a Socket.IO packet: for bare Engine.IO.
    package mutating func append(binary: ByteBuffer, limit: Int) -> Bool {
        self.append(.binary(binary), cost: binary.readableBytes + Self.packetOverhead, limit: limit)
    }

    /// Appends everything as one polling payload and forgets it.
    ///
    /// - Parameter last: a packet to put behind it: `1` at the end of the session, or `6`.
    package mutating func takePayload(last: EnginePacketType? = nil, into buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: self.cost + self.entries.count * 2 + 2)
        let start = buffer.writerIndex
        func separate(_ buffer: inout ByteBuffer) {
            if buffer.writerIndex > start { buffer.writeInteger(Self.separator) }
        }
        for entry in self.entries {
            separate(&buffer)
            switch entry {
            case .control(let type): buffer.writeInteger(type.rawValue)
            case .binary(let bytes): Self.writeBase64(bytes, into: &buffer)
            case .packet(let packet):
                buffer.writeInteger(EnginePacketType.message.rawValue)
                buffer.writeImmutableBuffer(packet.text)
                for attachment in packet.attachments {
                    buffer.writeInteger(Self.separator)
                    Self.writeBase64(attachment, into: &buffer)
                }
            }
        }
        if let last {
            separate(&buffer)
            buffer.writeInteger(last.rawValue)
        }
        self.removeAll()
    }

    /// Appends everything as WebSocket frames and forgets it: the session was upgraded.
    package mutating func takeFrames(base64: Bool = false, into buffer: inout ByteBuffer) {
        for entry in self.entries {
            switch entry {
            case .control(let type):
                // A noop only ever releases a poll.
                guard type != .noop else { continue }
                WebSocketFrameWriter.writeHeader(.text, count: 1, into: &buffer)
                buffer.writeInteger(type.rawValue)
            case .packet(let packet): packet.writeFrames(base64: base64, into: &buffer)
            case .binary(let bytes): OutboundPacket.writeBinaryFrame(bytes, base64: base64, into: &buffer)
            }
        }
        self.removeAll()
    }

    package mutating func removeAll() {
        self.entries = []
        self.cost = 0
    }

    private mutating func append(_ entry: Entry, cost: Int, limit: Int) -> Bool {
        guard self.cost + cost <= limit else { return false }
        self.cost += cost
        self.entries.append(entry)
        return true
    }

    private static func writeBase64(_ bytes: ByteBuffer, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "b"))
        bytes.withUnsafeReadableBytes { Base64.encode($0, into: &buffer) }
    }
}
