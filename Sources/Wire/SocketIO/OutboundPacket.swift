package import NIOCore

/// A finished Socket.IO packet: what fan-out frames once, and what crosses nodes. Copies share their bytes.
package struct OutboundPacket: Equatable, Sendable {
    /// The packet's text, without Engine.IO's `4`.
    package let text: ByteBuffer
    /// Binary messages that follow the text, in order.
    package let attachments: [ByteBuffer]

    /// Takes bytes that were built here or on another node. Nothing is checked.
    package init(text: ByteBuffer, attachments: [ByteBuffer] = []) {
        self.text = text
        self.attachments = attachments
    }

    /// Bytes of text and attachments, without framing.
    package var byteCount: Int {
        self.attachments.reduce(self.text.readableBytes) { $0 + $1.readableBytes }
    }

    /// Appends the packet as WebSocket frames: the text, then each attachment, with nothing between them
    /// (SOCKETIO §10.2).
    ///
    /// - Parameter base64: the client asked for `b64`: attachments go as text (SOCKETIO §2.2).
    package func writeFrames(base64: Bool = false, into buffer: inout ByteBuffer) {
        self.text.withUnsafeReadableBytes {
            WebSocketFrameWriter.writeText(prefix: EnginePacketType.message.rawValue, $0, into: &buffer)
        }
        for attachment in self.attachments { Self.writeBinaryFrame(attachment, base64: base64, into: &buffer) }
    }

    /// Appends one binary message as a WebSocket frame.
    package static func writeBinaryFrame(_ bytes: ByteBuffer, base64: Bool = false, into buffer: inout ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            guard base64 else { return WebSocketFrameWriter.writeBinary(bytes, into: &buffer) }
            WebSocketFrameWriter.writeHeader(.text, count: Base64.encodedCount(bytes.count) + 1, into: &buffer)
            buffer.writeInteger(UInt8(ascii: "b"))
            Base64.encode(bytes, into: &buffer)
        }
    }

    /// The answer to CONNECT: exactly the key `sid` (SOCKETIO §11.8).
    /// - Parameter pid: the private ID, where the connection is recoverable (SOCKETIO §14.1.1).
    package static func connect(sid: String, pid: String? = nil, namespace: String = "/") -> OutboundPacket {
        var object = ByteBuffer()
        object.writeString("{\"sid\":")
        object.writeJSONString(sid)
        if let pid {
            object.writeString(",\"pid\":")
            object.writeJSONString(pid)
        }
        object.writeString("}")
        return self.build(.connect, namespace: namespace, arguments: object)
    }

    /// A refusal of CONNECT.
    /// - Parameter data: one JSON value, for the client's `err.data`; left out where nil.
    package static func connectError(
        message: String, data: ByteBuffer? = nil, namespace: String = "/"
    ) -> OutboundPacket {
        var object = ByteBuffer()
        object.writeString("{\"message\":")
        object.writeJSONString(message)
        if let data {
            object.writeString(",\"data\":")
            object.writeImmutableBuffer(data)
        }
        object.writeString("}")
        return self.build(.connectError, namespace: namespace, arguments: object)
    }

    package static func disconnect(namespace: String = "/") -> OutboundPacket {
        self.build(.disconnect, namespace: namespace, arguments: ByteBuffer())
    }

    /// An event (SPEC EV-4). Binary arguments become attachments, and the packet a BINARY_EVENT.
    package static func event(
        _ name: String, _ arguments: [EventArgument] = [], ackID: Int64? = nil, namespace: String = "/",
        limits: EventLimits = EventLimits()
    ) throws(EventError) -> OutboundPacket {
        let count = name.utf8.count
        guard count >= 1, count <= limits.maxNameBytes else { throw .nameLength }
        guard !EventName.isReserved(name) else { throw .reservedName }
        var quoted = ByteBuffer()
        quoted.writeJSONString(name)
        let joined = try EventArguments(joining: arguments, limits: limits)
        let kind: SocketPacketKind = joined.attachments.isEmpty ? .event : .binaryEvent
        return try self.build(
            kind, namespace: namespace, ackID: ackID, quotedName: quoted, arguments: joined.json,
            attachments: joined.attachments
        ).checked(limits)
    }

    /// The reply to an event that carried an id.
    package static func ack(
        id: Int64, _ arguments: [EventArgument] = [], namespace: String = "/", limits: EventLimits = EventLimits()
    ) throws(EventError) -> OutboundPacket {
        let joined = try EventArguments(joining: arguments, limits: limits)
        let kind: SocketPacketKind = joined.attachments.isEmpty ? .ack : .binaryAck
        return try self.build(
            kind, namespace: namespace, ackID: id, arguments: joined.json, attachments: joined.attachments
        ).checked(limits)
    }

    /// An event or, without a name, an ack, of arguments that came in with a packet and go out as they are:
    /// `SocketPacket.arguments` and its attachments. Nothing is checked again but the size of what grows.
    ///
    /// - Parameter ackID: required for an ack.
    package static func passing(
        name: String?, arguments: UnsafeRawBufferPointer, attachments: [ByteBuffer] = [], ackID: Int64? = nil,
        namespace: String = "/"
    ) -> OutboundPacket {
        precondition(name != nil || ackID != nil, "an ack has an id")
        var quoted = ByteBuffer()
        if let name { quoted.writeJSONString(name) }
        let kind: SocketPacketKind =
            switch (name == nil, attachments.isEmpty) {
            case (false, true): .event
            case (false, false): .binaryEvent
            case (true, true): .ack
            case (true, false): .binaryAck
            }
        return self.build(
            kind, namespace: namespace, ackID: ackID, quotedName: quoted, arguments: ByteBuffer(bytes: arguments),
            attachments: attachments)
    }

    /// The same event, asking for an acknowledgement. An event that carries an id already is not expected here.
    ///
    /// - Parameter namespace: the one that the packet was built for.
    package func numbered(_ ackID: Int64, namespace: String) -> OutboundPacket {
        let text = self.text
        var position = text.readerIndex
        guard let kind = text.getInteger(at: position, as: UInt8.self) else { return self }
        position += 1
        if kind == SocketPacketKind.binaryEvent.rawValue {
            while let byte = text.getInteger(at: position, as: UInt8.self) {
                position += 1
                if byte == UInt8(ascii: "-") { break }
            }
        }
        if namespace != "/" { position += namespace.utf8.count + 1 }
        var numbered = ByteBufferAllocator().buffer(capacity: text.readableBytes + 19)
        numbered.writeImmutableBuffer(text.getSlice(at: text.readerIndex, length: position - text.readerIndex) ?? text)
        numbered.writeString(String(ackID))
        if let rest = text.getSlice(at: position, length: text.writerIndex - position) {
            numbered.writeImmutableBuffer(rest)
        }
        return OutboundPacket(text: numbered, attachments: self.attachments)
    }

    private func checked(_ limits: EventLimits) throws(EventError) -> OutboundPacket {
        guard self.byteCount <= limits.maxBytes else {
            throw .tooLarge(bytes: self.byteCount, limit: limits.maxBytes)
        }
        return self
    }

    private static func build(
        _ kind: SocketPacketKind, namespace: String, ackID: Int64? = nil, quotedName: ByteBuffer = ByteBuffer(),
        arguments: ByteBuffer, attachments: [ByteBuffer] = []
    ) -> OutboundPacket {
        var text = ByteBuffer()
        var namespace = namespace == "/" ? "" : namespace
        namespace.withUTF8 { namespace in
            quotedName.withUnsafeReadableBytes { quotedName in
                arguments.withUnsafeReadableBytes { arguments in
                    var pieces = SocketPacketText(kind, arguments: arguments)
                    pieces.attachmentCount = attachments.count
                    pieces.namespace = UnsafeRawBufferPointer(namespace)
                    pieces.ackID = ackID
                    pieces.quotedName = quotedName
                    pieces.write(into: &text)
                }
            }
        }
        return OutboundPacket(text: text, attachments: attachments)
    }
}
