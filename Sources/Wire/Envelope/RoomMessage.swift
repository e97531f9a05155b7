package import NIOCore

/// What one node asks all others to do with the sockets of a namespace: the payload of a message of kind `room`
/// (SOCKETIO §13, SPEC ND-6).
///
///     payload = version (1 byte: 1), operation (1 byte), request (UInt64, 0 = no answer is awaited),
///               domain, namespace (each: length as UInt16, UTF-8),
///               rooms, excepted rooms (each: count as UInt16, texts),
///               what the operation needs
package struct RoomMessage: Sendable, Equatable {
    package static let version: UInt8 = 1

    package enum Operation: Sendable, Equatable {
        /// Write a finished packet to the sockets.
        case emit(packet: ByteBuffer, attachments: [ByteBuffer], Delivery)
        /// The same for one that is in the recovery log, under this number of the sender's stream of broadcasts.
        case logged(packet: ByteBuffer, attachments: [ByteBuffer], number: Int64)
        /// Write the packet with an acknowledgement id of the receiving node's own, and report what comes back.
        /// - Parameter timeout: milliseconds.
        case emitWithAck(packet: ByteBuffer, attachments: [ByteBuffer], timeout: UInt32)
        case join([String])
        case leave([String])
        /// - Parameter closes: ends the engine sessions, too.
        case disconnect(closes: Bool)
        /// Report the sockets.
        case fetch
        /// Run the handlers of this name on the node itself; the payload is a JSON array of arguments.
        case serverSide(name: String, arguments: ByteBuffer)
    }

    /// Names the request among those of the sending node; 0 where no answer is awaited.
    package var request: UInt64
    package var domain: String
    package var namespace: String
    package var rooms: [String]
    package var except: [String]
    package var operation: Operation

    package init(
        request: UInt64 = 0, domain: String, namespace: String, rooms: [String] = [], except: [String] = [],
        operation: Operation
    ) {
        self.request = request
        self.domain = domain
        self.namespace = namespace
        self.rooms = rooms
        self.except = except
        self.operation = operation
    }

    private enum Code: UInt8 {
        case emit = 1
        case emitWithAck, join, leave, disconnect, fetch, serverSide, logged
    }

    private enum Mode: UInt8 {
        case required = 0
        case volatile, latest
    }

    // MARK: Encoding

    package func encode() throws(EnvelopeError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Self.version)
        buffer.writeInteger(self.code.rawValue)
        buffer.writeInteger(self.request)
        try buffer.writeText(self.domain)
        try buffer.writeText(self.namespace)
        try buffer.writeTexts(self.rooms)
        try buffer.writeTexts(self.except)
        switch self.operation {
        case .emit(let packet, let attachments, let delivery):
            switch delivery {
            case .required: buffer.writeInteger(Mode.required.rawValue)
            case .volatile: buffer.writeInteger(Mode.volatile.rawValue)
            case .latest(let key):
                buffer.writeInteger(Mode.latest.rawValue)
                try buffer.writeText(key)
            }
            try buffer.writePacket(packet, attachments)
        case .logged(let packet, let attachments, let number):
            buffer.writeInteger(number)
            try buffer.writePacket(packet, attachments)
        case .emitWithAck(let packet, let attachments, let timeout):
            buffer.writeInteger(timeout)
            try buffer.writePacket(packet, attachments)
        case .join(let names), .leave(let names): try buffer.writeTexts(names)
        case .disconnect(let closes): buffer.writeInteger(closes ? 1 : 0 as UInt8)
        case .fetch: break
        case .serverSide(let name, let arguments):
            try buffer.writeText(name)
            buffer.writeInteger(UInt32(arguments.readableBytes))
            buffer.writeImmutableBuffer(arguments)
        }
        guard buffer.readableBytes <= BusMessage.maximumSize else { throw .messageTooLarge }
        return buffer
    }

    private var code: Code {
        switch self.operation {
        case .emit: .emit
        case .logged: .logged
        case .emitWithAck: .emitWithAck
        case .join: .join
        case .leave: .leave
        case .disconnect: .disconnect
        case .fetch: .fetch
        case .serverSide: .serverSide
        }
    }

    // MARK: Decoding

    /// - Returns: packet and attachments as slices of `buffer`.
    package static func decode(_ buffer: ByteBuffer) throws(EnvelopeError) -> RoomMessage {
        var buffer = buffer
        guard let version = buffer.readInteger(as: UInt8.self) else { throw .truncated }
        guard version == self.version else { throw .unknownVersion(version) }
        guard let rawCode = buffer.readInteger(as: UInt8.self), let request = buffer.readInteger(as: UInt64.self)
        else { throw .truncated }
        guard let code = Code(rawValue: rawCode) else { throw .missingField("operation") }
        let domain = try buffer.readText()
        let namespace = try buffer.readText()
        let rooms = try buffer.readTexts()
        let except = try buffer.readTexts()
        let operation = try self.operation(code, &buffer)
        guard buffer.readableBytes == 0 else { throw .trailingBytes }
        return RoomMessage(
            request: request, domain: domain, namespace: namespace, rooms: rooms, except: except, operation: operation)
    }

    private static func operation(_ code: Code, _ buffer: inout ByteBuffer) throws(EnvelopeError) -> Operation {
        switch code {
        case .emit:
            guard let rawMode = buffer.readInteger(as: UInt8.self) else { throw .truncated }
            guard let mode = Mode(rawValue: rawMode) else { throw .missingField("delivery") }
            let delivery: Delivery =
                switch mode {
                case .required: .required
                case .volatile: .volatile
                case .latest: .latest(key: try buffer.readText())
                }
            let (packet, attachments) = try buffer.readPacket()
            return .emit(packet: packet, attachments: attachments, delivery)
        case .logged:
            guard let number = buffer.readInteger(as: Int64.self) else { throw .truncated }
            guard number > 0, number < RecoveryMark.numberLimit else { throw .missingField("number") }
            let (packet, attachments) = try buffer.readPacket()
            return .logged(packet: packet, attachments: attachments, number: number)
        case .emitWithAck:
            guard let timeout = buffer.readInteger(as: UInt32.self) else { throw .truncated }
            let (packet, attachments) = try buffer.readPacket()
            return .emitWithAck(packet: packet, attachments: attachments, timeout: timeout)
        case .join: return .join(try buffer.readTexts())
        case .leave: return .leave(try buffer.readTexts())
        case .disconnect:
            guard let closes = buffer.readInteger(as: UInt8.self) else { throw .truncated }
            return .disconnect(closes: closes != 0)
        case .fetch: return .fetch
        case .serverSide:
            let name = try buffer.readText()
            return .serverSide(name: name, arguments: try buffer.readBytes())
        }
    }
}
