import NIOCore
import Wire

/// An event on its way to a handler, on the loop of its session. Valid only during the handler's call: the text is the
/// loop's.
struct LoopEvent: ~Copyable {
    let session: LiveSession
    let slot: NamespaceSlot
    let packet: SocketPacket
    let text: UnsafeRawBufferPointer
    let attachments: [ByteBuffer]

    /// The raw text of the arguments, without brackets.
    var rawArguments: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self.text[self.packet.arguments]) }

    var wantsAck: Bool { self.packet.ackID != nil }

    /// The name as it stands between its quotes.
    var rawName: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self.text[self.packet.eventName]) }

    /// Copies the arguments out of the text.
    func arguments() -> [EventArgument] { self.packet.arguments(in: self.text, attachments: self.attachments) }

    /// Answers with arguments that are JSON already. Does nothing for an event that wants no ack.
    func acknowledge(_ arguments: UnsafeRawBufferPointer, attachments: [ByteBuffer] = []) {
        guard let id = self.packet.ackID else { return }
        guard attachments.isEmpty, self.slot == .root else {
            let namespace = self.session.sockets.name(of: self.slot)
            return self.session.send(
                .passing(
                    name: nil, arguments: arguments, attachments: attachments, ackID: id, namespace: namespace))
        }
        var text = SocketPacketText(.ack, arguments: arguments)
        text.ackID = id
        self.session.send(text)
    }

    /// A way to answer later, from any thread.
    func deferredAck() -> DeferredAck? {
        guard let id = self.packet.ackID else { return nil }
        return DeferredAck(socket: LoopSocket(session: self.session, slot: self.slot), id: id)
    }

    var socket: LoopSocket { LoopSocket(session: self.session, slot: self.slot) }
}

/// One joined namespace of a session, for whoever wants to send to it later, from any thread.
struct LoopSocket: Sendable {
    private let session: NIOLoopBound<LiveSession>
    private let slot: NamespaceSlot

    init(session: LiveSession, slot: NamespaceSlot) {
        self.session = NIOLoopBound(session, eventLoop: session.loop.eventLoop)
        self.slot = slot
    }

    /// Sends what `make` builds for the namespace's name, if the client is still in it.
    func send(_ make: @escaping @Sendable (_ namespace: String) -> OutboundPacket) {
        let slot = self.slot
        self.session.execute { session in
            guard session.sockets.isConnected(slot) else { return }
            session.send(make(session.sockets.name(of: slot)))
        }
    }

    /// Runs `body` with the session on its loop.
    func withSession(_ body: @escaping @Sendable (LiveSession) -> Void) {
        self.session.execute(body)
    }
}

/// An ack that is still owed.
struct DeferredAck: Sendable {
    let socket: LoopSocket
    let id: Int64

    /// - Parameter arguments: JSON values without the brackets around them.
    func send(_ arguments: ByteBuffer, attachments: [ByteBuffer] = []) {
        let id = self.id
        self.socket.send { namespace in
            arguments.withUnsafeReadableBytes {
                .passing(name: nil, arguments: $0, attachments: attachments, ackID: id, namespace: namespace)
            }
        }
    }
}
