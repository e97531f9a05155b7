package import NIOCore

/// The pieces of a packet that is about to be written: borrowed, joined once, in the place where they are sent from.
package struct SocketPacketText {
    package var kind: SocketPacketKind
    /// Written for the binary kinds only.
    package var attachmentCount = 0
    /// The namespace's name; empty for `/`.
    package var namespace = UnsafeRawBufferPointer(start: nil, count: 0)
    package var ackID: Int64?
    /// The event's name as JSON, quotes included; empty for packets without one.
    package var quotedName = UnsafeRawBufferPointer(start: nil, count: 0)
    /// JSON values with commas between them; for CONNECT and CONNECT_ERROR the object.
    package var arguments: UnsafeRawBufferPointer

    package init(_ kind: SocketPacketKind, arguments: UnsafeRawBufferPointer = .init(start: nil, count: 0)) {
        self.kind = kind
        self.arguments = arguments
    }

    /// Bytes of the text.
    package var count: Int {
        var count = 1 + self.arguments.count
        if self.isBinary { count += Self.digits(Int64(self.attachmentCount)) + 1 }
        if !self.namespace.isEmpty { count += self.namespace.count + 1 }
        if let ackID = self.ackID { count += Self.digits(ackID) }
        if self.hasArray { count += 2 + self.quotedName.count + (self.needsComma ? 1 : 0) }
        return count
    }

    /// Appends the packet's text, without Engine.IO's `4`.
    package func write(into buffer: inout ByteBuffer) {
        let count = self.count
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            self.store(in: target)
            return count
        }
    }

    /// Appends a whole WebSocket text frame: header, `4`, text.
    package func writeFrame(into buffer: inout ByteBuffer) {
        let count = self.count
        WebSocketFrameWriter.writeHeader(.text, count: count + 1, into: &buffer)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count + 1) { target in
            target[0] = EnginePacketType.message.rawValue
            self.store(in: UnsafeMutableRawBufferPointer(rebasing: target[1...]))
            return count + 1
        }
    }

    private var isBinary: Bool { self.kind == .binaryEvent || self.kind == .binaryAck }

    private var hasArray: Bool {
        switch self.kind {
        case .event, .ack, .binaryEvent, .binaryAck: true
        case .connect, .disconnect, .connectError: false
        }
    }

    private var needsComma: Bool { !self.quotedName.isEmpty && !self.arguments.isEmpty }

    private func store(in target: UnsafeMutableRawBufferPointer) {
        target[0] = self.kind.rawValue
        var position = 1
        if self.isBinary {
            position += Self.store(Int64(self.attachmentCount), in: target, at: position)
            target[position] = UInt8(ascii: "-")
            position += 1
        }
        if !self.namespace.isEmpty {
            position += Self.store(self.namespace, in: target, at: position)
            target[position] = UInt8(ascii: ",")
            position += 1
        }
        if let ackID = self.ackID { position += Self.store(ackID, in: target, at: position) }
        guard self.hasArray else {
            _ = Self.store(self.arguments, in: target, at: position)
            return
        }
        target[position] = UInt8(ascii: "[")
        position += 1
        position += Self.store(self.quotedName, in: target, at: position)
        if self.needsComma {
            target[position] = UInt8(ascii: ",")
            position += 1
        }
        position += Self.store(self.arguments, in: target, at: position)
        target[position] = UInt8(ascii: "]")
    }

    private static func store(
        _ bytes: UnsafeRawBufferPointer, in target: UnsafeMutableRawBufferPointer, at position: Int
    ) -> Int {
        UnsafeMutableRawBufferPointer(rebasing: target[position...]).copyMemory(from: bytes)
        return bytes.count
    }

    private static func store(_ number: Int64, in target: UnsafeMutableRawBufferPointer, at position: Int) -> Int {
        let digits = self.digits(number)
        var rest = number
        for offset in stride(from: digits - 1, through: 0, by: -1) {
            target[position + offset] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        return digits
    }

    private static func digits(_ number: Int64) -> Int {
        var digits = 1
        var rest = number / 10
        while rest > 0 {
            digits += 1
            rest /= 10
        }
        return digits
    }
}
