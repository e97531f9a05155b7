import NIOCore
import Wire

/// Answers to `ice` (SPEC LK-18): each request has one, and an acknowledgement where it asked for that (WS-1).
extension LiveSession {
    /// - Parameter isOverRate: it is counted with `link` events, and there were too many (SPEC LK-17).
    func answerICE(_ arguments: UnsafeRawBufferPointer, ackID: Int64?, isOverRate: Bool = false) {
        let ice = self.loop.server.ice
        let request: ICERequest
        do throws(ICERequest.Malformed) {
            request = try ICERequest(arguments)
        } catch {
            ice.metrics.requested(.invalid)
            return self.send(.ice(error.id, error: "INVALID"), ackID)
        }
        guard !isOverRate else {
            ice.metrics.requested(.busy)
            return self.send(.ice(request.id, error: "BUSY"), ackID)
        }
        // Guests have no Links, and a relay is not for everybody.
        guard let identity = self.connection?.identity else {
            ice.metrics.requested(.forbidden)
            return self.send(.ice(request.id, error: "FORBIDDEN"), ackID)
        }
        ice.metrics.requested(.answered)
        self.send(.ice(request.id, ice.grant(domain: identity.domain, user: identity.user)), ackID)
    }

    /// What is over the rate gets its answer, too.
    /// - Returns: false for what is no `ice` event.
    func refuseICE(_ action: SocketAction, _ text: UnsafeRawBufferPointer) -> Bool {
        switch action {
        case .event(_, let packet): return self.refuseICE(packet, text)
        case .attached(_, let attached):
            return attached.text.withUnsafeReadableBytes { self.refuseICE(attached.packet, $0) }
        case .malformedAction, .none, .connect, .connectError, .ack, .left, .close: return false
        }
    }

    private func refuseICE(_ packet: SocketPacket, _ text: UnsafeRawBufferPointer) -> Bool {
        guard packet.isEvent("ice", in: text) else { return false }
        let arguments = UnsafeRawBufferPointer(rebasing: text[packet.arguments])
        self.answerICE(arguments, ackID: packet.ackID, isOverRate: true)
        return true
    }

    private func send(_ object: ICEAnswer, _ ackID: Int64?) {
        var packets = [object.packet]
        if let ackID { packets.append(object.acknowledgement(ackID)) }
        self.send(packets)
    }
}

/// The object that answers an `ice` event.
private struct ICEAnswer {
    private let object: ByteBuffer

    private init(_ id: MessageID?, _ write: (inout ByteBuffer) -> Void) {
        var object = ByteBuffer()
        object.writeString("{")
        if let id {
            object.writeString("\"_id\":")
            object.writeImmutableBuffer(id.json)
            object.writeString(",")
        }
        write(&object)
        object.writeString("}")
        self.object = object
    }

    /// - Parameter error: a word that programs compare.
    static func ice(_ id: MessageID?, error: String) -> ICEAnswer {
        ICEAnswer(id) { $0.writeString("\"error\":\"\(error)\"") }
    }

    static func ice(_ id: MessageID?, _ grant: ICEServers.Grant) -> ICEAnswer {
        ICEAnswer(id) { $0.writeImmutableBuffer(grant.members) }
    }

    var packet: OutboundPacket { self.object.withUnsafeReadableBytes { .passing(name: "ice", arguments: $0) } }

    func acknowledgement(_ id: Int64) -> OutboundPacket {
        self.object.withUnsafeReadableBytes { .passing(name: nil, arguments: $0, ackID: id) }
    }
}
