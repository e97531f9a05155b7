package import NIOCore

extension OutboundPacket {
    /// Whether the packet is one that carries an offset while recovery is on: EVENT or BINARY_EVENT without an ack id
    /// (SOCKETIO §14.1.2). Reads the beginning of the text only.
    package var takesOffset: Bool {
        self.text.withUnsafeReadableBytes { text in
            guard let kind = text.first.flatMap(SocketPacketKind.init(rawValue:)) else { return false }
            var position = 1
            switch kind {
            case .event: break
            case .binaryEvent:
                guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else { return false }
                position = dash + 1
            case .connect, .disconnect, .ack, .connectError, .binaryAck: return false
            }
            if position < text.count, text[position] == UInt8(ascii: "/") {
                guard let comma = text[position...].firstIndex(of: UInt8(ascii: ",")) else { return false }
                position = comma + 1
            }
            // What stands here otherwise is an ack id.
            return position < text.count && text[position] == UInt8(ascii: "[")
        }
    }

    /// Whether an event is one of the main namespace. Reads the beginning of the text only.
    package var isOnRoot: Bool {
        self.text.withUnsafeReadableBytes { text in
            var position = 1
            if text.first == SocketPacketKind.binaryEvent.rawValue {
                guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else { return false }
                position = dash + 1
            }
            return position < text.count && text[position] != UInt8(ascii: "/")
        }
    }

    /// The same event with one more trailing argument, the offset as a JSON string (SOCKETIO §14.1.2):
    /// `2["x"]` becomes `2["x","offset"]`. A packet that ``takesOffset`` does not hold for stays as it is.
    ///
    /// - Parameter offset: ``RecoveryPosition/text``: nothing in it needs quoting.
    package func appendingOffset(_ offset: ByteBuffer) -> OutboundPacket {
        guard self.takesOffset else { return self }
        // An event has a name, so the array is not empty, and its end is the text's.
        let head = self.text.readableBytes - 1
        let count = head + 2 + offset.readableBytes + 2
        var text = ByteBuffer()
        text.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            self.text.withUnsafeReadableBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<head])) }
            target[head] = UInt8(ascii: ",")
            target[head + 1] = UInt8(ascii: "\"")
            offset.withUnsafeReadableBytes {
                UnsafeMutableRawBufferPointer(rebasing: target[(head + 2)...]).copyMemory(from: $0)
            }
            target[count - 2] = UInt8(ascii: "\"")
            target[count - 1] = UInt8(ascii: "]")
            return count
        }
        return OutboundPacket(text: text, attachments: self.attachments)
    }
}
