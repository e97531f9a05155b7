import NIOCore
import Wire

/// The body of a POST: decoded lazily, each packet through the session's machine, each message through the namespaces'.
enum PayloadTarget {
    private static let maxPackets = 64

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let scratch = ScratchBuffer(idleCapacity: 16)
        let options = EngineOptions()
        let socketOptions = SocketOptions(engine: options)
        let now = NIODeadline.uptimeNanoseconds(1)
        var session = EngineSession(transport: .polling, at: now, options: options)
        var sockets = SocketSession(at: now, options: socketOptions)
        var decoder = EnginePayloadDecoder(bytes, maxPackets: Self.maxPackets)
        var again = ByteBuffer()
        var count = 0
        var isInvalid = false
        while let packet = decoder.next(scratch: scratch) {
            try Finding.check(!isInvalid, "nothing follows an invalid packet")
            count += 1
            if count > 1 { again.writeInteger(UInt8(0x1E)) }
            switch packet {
            case .invalid:
                isInvalid = true
                _ = session.receiveInvalid()
            case .packet(let type, let payload):
                again.writeInteger(type.rawValue)
                again.writeBytes(payload)
                guard case .message = session.receive(type, at: now, options: options) else { continue }
                try self.answer(sockets.receive(text: payload, at: now, options: socketOptions), &sockets, payload)
            case .binary(let payload):
                again.writeInteger(UInt8(ascii: "b"))
                Base64.encode(payload, into: &again)
                guard case .message = session.receive(.message, at: now, options: options) else { continue }
                try self.answer(sockets.receive(binary: payload, options: socketOptions), &sockets, payload)
            }
        }
        try Finding.check(count > 0, "an empty body is an invalid packet")
        try Finding.check(count <= Self.maxPackets + 1, "packets of one payload are bounded (SOCKETIO §18)")
        if !isInvalid {
            let isSame = again.withUnsafeReadableBytes { $0.elementsEqual(bytes) }
            try Finding.check(isSame, "there is one form for each payload (SOCKETIO §3.2)")
        }
    }

    private static func answer(
        _ action: SocketAction, _ sockets: inout SocketSession, _ text: UnsafeRawBufferPointer
    ) throws(Finding) {
        switch action {
        case .connect(let slot, _): try Finding.check(sockets.accept(slot), "a pending namespace can be accepted")
        case .event(_, let packet), .ack(_, let packet): try PacketTarget.check(packet, in: text)
        case .attached(_, let attached):
            try attached.text.withUnsafeReadableBytes { (text) throws(Finding) in
                try PacketTarget.check(attached.packet, in: text, attachments: attached.attachments)
            }
        case .close: sockets.end()
        case .none, .connectError, .left, .malformedAction: break
        }
    }
}
