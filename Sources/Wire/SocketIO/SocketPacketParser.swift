/// Reads a Socket.IO packet: one pass over its text, which validates the JSON completely (SOCKETIO §10.3).
package enum SocketPacketParser {
    /// The largest id that a JavaScript peer can count to, and the digits it may take to write one.
    package static let maxAckID: Int64 = (1 << 53) - 1
    private static let maxAckDigits = 16

    /// - Parameter text: the payload of one Engine.IO message, UTF-8, at most `UInt32.max` bytes.
    /// - Throws: whatever makes SOCKETIO §10.3 say "close". CONNECT_ERROR passes, for clients; a session refuses it.
    package static func parse(
        _ text: UnsafeRawBufferPointer, options: SocketOptions
    ) throws(SocketPacketError) -> SocketPacket {
        guard let first = text.first else { throw .empty }
        guard let kind = SocketPacketKind(rawValue: first) else { throw .unknownType }
        guard text.count <= options.maxPacketBytes, text.count < UInt32.max else { throw .packetTooLarge }
        var position = 1
        var attachmentCount = 0
        let isBinary = kind == .binaryEvent || kind == .binaryAck
        if isBinary { attachmentCount = try self.attachments(text, at: &position, limit: options.maxAttachments) }
        let namespace = try self.namespace(text, at: &position, limit: options.maxNamespaceBytes)
        var ackID = try self.ackID(text, at: &position)

        guard position < text.count else {
            switch kind {
            case .connect, .disconnect: ackID = nil  // an id is ignored here
            case .event, .ack, .connectError, .binaryEvent, .binaryAck: throw .missingPayload
            }
            let end = position..<position
            return SocketPacket(
                kind: kind, namespace: namespace, ackID: ackID, attachmentCount: 0, payload: end, name: end,
                nameHasEscapes: false, argumentsStart: 0)
        }

        var scanner = JSONScanner(text, from: position)
        // As if so many containers were open already.
        let depth = JSONScanner.depthLimit - options.maxDepth
        var name = position..<position
        var nameHasEscapes = false
        var argumentsStart = 0
        switch kind {
        case .disconnect: throw .unexpectedPayload
        case .connect, .connectError:
            guard text[position] == UInt8(ascii: "{") else { throw .wrongPayloadKind }
            guard scanner.skipValue(depth: depth) else { throw self.fault(scanner) }
            ackID = nil
        case .ack, .binaryAck:
            guard ackID != nil else { throw .missingAckID }
            guard scanner.take(UInt8(ascii: "[")) else { throw .wrongPayloadKind }
            scanner.skipWhitespace()
            argumentsStart = scanner.position
            if !scanner.take(UInt8(ascii: "]")) {
                guard scanner.skipValue(depth: depth + 1) else { throw self.fault(scanner) }
                try self.rest(&scanner, depth: depth)
            }
        case .event, .binaryEvent:
            guard scanner.take(UInt8(ascii: "[")) else { throw .wrongPayloadKind }
            scanner.skipWhitespace()
            let start = scanner.position
            switch scanner.next {
            case UInt8(ascii: "\""):
                guard scanner.skipString() else { throw .malformedJSON }
                nameHasEscapes = scanner.lastStringHasEscapes
                name = (start + 1)..<(scanner.position - 1)
            case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
                guard scanner.skipNumber() else { throw .malformedJSON }
                name = start..<scanner.position
            default: throw .eventName
            }
            try self.check(name: UnsafeRawBufferPointer(rebasing: text[name]), nameHasEscapes, options)
            scanner.skipWhitespace()
            if scanner.take(UInt8(ascii: ",")) {
                scanner.skipWhitespace()
                argumentsStart = scanner.position
                guard scanner.skipValue(depth: depth + 1) else { throw self.fault(scanner) }
                try self.rest(&scanner, depth: depth)
            } else {
                argumentsStart = scanner.position
                guard scanner.take(UInt8(ascii: "]")) else { throw .malformedJSON }
            }
        }
        let payload = position..<scanner.position
        scanner.skipWhitespace()
        guard scanner.position == text.count else { throw .malformedJSON }
        if isBinary {
            let arguments = UnsafeRawBufferPointer(rebasing: text[payload])
            guard Placeholders.areValid(in: arguments, attachmentCount: attachmentCount) else { throw .placeholder }
        }
        return SocketPacket(
            kind: kind, namespace: namespace, ackID: ackID, attachmentCount: attachmentCount, payload: payload,
            name: name, nameHasEscapes: nameHasEscapes, argumentsStart: argumentsStart)
    }

    /// The elements behind the first one, and the closing bracket.
    private static func rest(_ scanner: inout JSONScanner, depth: Int) throws(SocketPacketError) {
        while true {
            scanner.skipWhitespace()
            if scanner.take(UInt8(ascii: "]")) { return }
            guard scanner.take(UInt8(ascii: ",")), scanner.skipValue(depth: depth + 1) else {
                throw self.fault(scanner)
            }
        }
    }

    private static func fault(_ scanner: JSONScanner) -> SocketPacketError {
        scanner.isTooDeep ? .nestingTooDeep : .malformedJSON
    }

    private static func attachments(
        _ text: UnsafeRawBufferPointer, at position: inout Int, limit: Int
    ) throws(SocketPacketError) -> Int {
        let start = position
        var count = 0
        while position < text.count, let digit = self.digit(text[position]) {
            count = count * 10 + digit
            guard count <= min(limit, Int(UInt8.max)) else { throw .tooManyAttachments }
            position += 1
        }
        guard position > start, position < text.count, text[position] == UInt8(ascii: "-") else {
            throw .attachmentCount
        }
        position += 1
        return count
    }

    private static func namespace(
        _ text: UnsafeRawBufferPointer, at position: inout Int, limit: Int
    ) throws(SocketPacketError) -> Range<Int> {
        guard position < text.count, text[position] == UInt8(ascii: "/") else { return position..<position }
        let start = position
        while position < text.count, text[position] != UInt8(ascii: ",") {
            position += 1
            guard position - start <= limit else { throw .namespaceTooLong }
        }
        let end = position
        if position < text.count { position += 1 }
        return start..<end
    }

    private static func ackID(
        _ text: UnsafeRawBufferPointer, at position: inout Int
    ) throws(SocketPacketError) -> Int64? {
        let start = position
        var id: Int64 = 0
        while position < text.count, let digit = self.digit(text[position]) {
            guard position - start < self.maxAckDigits else { throw .ackID }
            id = id * 10 + Int64(digit)
            position += 1
        }
        guard position > start else {
            // Without an id, what follows is the payload: anything that begins no array and no object is a bad id.
            return nil
        }
        guard id <= self.maxAckID else { throw .ackID }
        return id
    }

    private static func check(
        name: UnsafeRawBufferPointer, _ hasEscapes: Bool, _ options: SocketOptions
    ) throws(SocketPacketError) {
        let limit = options.maxEventNameBytes
        guard name.count <= limit || (hasEscapes && JSONString.decodedCount(name) <= limit) else {
            throw .eventNameTooLong
        }
        guard !EventName.isReserved(name, hasEscapes: hasEscapes) else { throw .reservedEventName }
    }

    @inline(__always)
    private static func digit(_ byte: UInt8) -> Int? {
        let value = byte &- UInt8(ascii: "0")
        return value < 10 ? Int(value) : nil
    }
}
