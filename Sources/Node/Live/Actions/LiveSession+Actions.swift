import NIOCore
import Routing
import Wire

/// The product's own events from clients (SPEC §8), on `/` of a node that answers them.
enum ProductEvent {
    case action, chunk, link, peer, ice

    /// - Returns: nil for an event of the application's.
    init?(_ packet: SocketPacket, in text: UnsafeRawBufferPointer) {
        guard packet.nameHasEscapes || (3...6).contains(packet.eventName.count) else { return nil }
        if packet.isEvent("action", in: text) {
            self = .action
        } else if packet.isEvent("chunk", in: text) {
            self = .chunk
        } else if packet.isEvent("ice", in: text) {
            self = .ice
        } else if packet.isEvent("link", in: text) {
            self = .link
        } else if packet.isEvent("peer", in: text) {
            self = .peer
        } else {
            return nil
        }
    }
}

extension LiveConnection {
    /// Made with the first action; nil where the node answers none.
    func actionDesk() -> ActionDesk? {
        if let desk = self.desk { return desk }
        guard let actions = self.loop.actions, self.phase == .ready else { return nil }
        let desk = ActionDesk(self, actions)
        self.desk = desk
        return desk
    }
}

extension LiveSession {
    /// - Returns: false for an event of the application's.
    func performProduct(
        _ packet: SocketPacket, _ text: UnsafeRawBufferPointer, _ attachments: [ByteBuffer]
    ) -> Bool {
        guard self.loop.actions != nil, let event = ProductEvent(packet, in: text) else { return false }
        if self.performLinks(event, packet, text, attachments) { return true }
        guard let desk = self.connection?.actionDesk() else { return false }
        let arguments = UnsafeRawBufferPointer(rebasing: text[packet.arguments])
        switch event {
        case .action: desk.take(arguments, attachments, ackID: packet.ackID)
        case .chunk: desk.takeChunk(arguments)
        case .ice: self.answerICE(arguments, ackID: packet.ackID)
        case .link, .peer: return false
        }
        return true
    }

    /// An `action` that is over the rate gets its answer, too (SPEC LK-17).
    func refuseOverRate(_ action: SocketAction, _ text: UnsafeRawBufferPointer) {
        guard let desk = self.connection?.actionDesk() else { return }
        switch action {
        case .event(_, let packet):
            desk.takeOverRate(UnsafeRawBufferPointer(rebasing: text[packet.arguments]), [], ackID: packet.ackID)
        case .attached(_, let attached):
            attached.text.withUnsafeReadableBytes { text in
                desk.takeOverRate(
                    UnsafeRawBufferPointer(rebasing: text[attached.packet.arguments]), attached.attachments,
                    ackID: attached.packet.ackID)
            }
        case .malformedAction(let id): desk.takeMalformed(ackID: id)
        case .none, .connect, .connectError, .ack, .left, .close: break
        }
    }
}
