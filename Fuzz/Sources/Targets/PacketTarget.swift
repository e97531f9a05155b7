import NIOCore
import Wire

/// One Socket.IO packet: read, looked at, sent on in both of the ways there are, and read again.
enum PacketTarget {
    private static let options = SocketOptions()

    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let packet: SocketPacket
        do { packet = try SocketPacketParser.parse(bytes, options: self.options) } catch { return }
        // The parser reads any bytes; what it says is of use for UTF-8 only.
        guard UTF8Validation.isValid(bytes) else { return }
        let attachments = (0..<Int(packet.attachmentCount)).map { ByteBuffer(repeating: UInt8($0), count: 1) }
        try self.check(packet, in: bytes, attachments: attachments)
    }

    static func check(
        _ packet: SocketPacket, in text: UnsafeRawBufferPointer, attachments: [ByteBuffer] = []
    ) throws(Finding) {
        for range in [packet.namespace, packet.payload, packet.eventName, packet.arguments] {
            try Finding.check(range.upperBound <= text.count, "every range lies in the text")
        }
        try Finding.check(
            packet.payload.isEmpty || JSONScanner.isValid(UnsafeRawBufferPointer(rebasing: text[packet.payload])),
            "a payload is JSON")
        try Finding.check(packet.attachmentCount <= 10, "attachments are bounded (CVE-2026-33151)")
        try Finding.check(packet.ackID.map { (0..<1 << 53).contains($0) } ?? true, "an ack id is below 2^53")
        switch packet.kind {
        case .connect, .disconnect, .connectError: return
        case .event, .ack, .binaryEvent, .binaryAck: break
        }
        try self.sendOn(packet, in: text, attachments)
        try self.rebuild(packet, in: text, attachments)
    }

    /// As an echo does: the arguments' text as it came.
    private static func sendOn(
        _ packet: SocketPacket, in text: UnsafeRawBufferPointer, _ attachments: [ByteBuffer]
    ) throws(Finding) {
        let isEvent = packet.kind == .event || packet.kind == .binaryEvent
        // A count of zero is legal to receive and never sent: what comes out is a plain packet.
        let sent = OutboundPacket.passing(
            name: isEvent ? packet.name(in: text) : nil,
            arguments: UnsafeRawBufferPointer(rebasing: text[packet.arguments]), attachments: attachments,
            ackID: packet.ackID, namespace: packet.namespaceName(in: text))
        let again = try self.read(sent)
        let isSame = sent.text.withUnsafeReadableBytes { second in
            again.namespaceName(in: second) == packet.namespaceName(in: text) && again.ackID == packet.ackID
                && again.name(in: second) == packet.name(in: text)
                && second[again.arguments].elementsEqual(text[packet.arguments])
                && Int(again.attachmentCount) == attachments.count
        }
        try Finding.check(isSame, "what is sent on reads as what came (SOCKETIO §10.4)")
    }

    /// As a handler does: argument by argument, with placeholders numbered anew.
    private static func rebuild(
        _ packet: SocketPacket, in text: UnsafeRawBufferPointer, _ attachments: [ByteBuffer]
    ) throws(Finding) {
        let arguments = packet.arguments(in: text, attachments: attachments)
        let isEvent = packet.kind == .event || packet.kind == .binaryEvent
        let sent: OutboundPacket
        do throws(EventError) {
            let namespace = packet.namespaceName(in: text)
            let limits = EventLimits(maxBytes: 1 << 20)
            sent =
                isEvent
                ? try .event(
                    packet.name(in: text), arguments, ackID: packet.ackID, namespace: namespace, limits: limits)
                : try .ack(id: packet.ackID ?? 0, arguments, namespace: namespace, limits: limits)
        } catch {
            switch error {
            // One attachment may be named more often than there may be attachments. A name may be empty when received.
            case .tooManyAttachments, .tooLarge, .nameLength: return
            case .reservedName, .invalidJSON, .placeholder:
                throw Finding(description: "what was received can be sent: \(error)")
            }
        }
        let again = try self.read(sent)
        let second = sent.text.withUnsafeReadableBytes { again.arguments(in: $0, attachments: sent.attachments) }
        try Finding.check(second.count == arguments.count, "as many arguments as before")
        for (first, second) in zip(arguments, second) {
            switch (first, second) {
            case (.json(let first), .json(let second)): try Finding.check(first == second, "JSON passes as it came")
            case (.binary(let first), .binary(let second)): try Finding.check(first == second, "binary is the same")
            case (.mixed, .mixed): break
            case (.json, _), (.binary, _), (.mixed, _): throw Finding(description: "an argument changed its kind")
            }
        }
    }

    private static func read(_ sent: OutboundPacket) throws(Finding) -> SocketPacket {
        do {
            return try sent.text.withUnsafeReadableBytes { try SocketPacketParser.parse($0, options: self.options) }
        } catch {
            throw Finding(description: "what is sent is refused by a peer: \(error), \(String(buffer: sent.text))")
        }
    }
}
