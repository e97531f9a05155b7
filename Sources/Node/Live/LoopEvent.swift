import NIOCore
import Wire

/// An event on its way to a handler, on the loop of its session. Valid only during the handler's call: the text is the
/// loop's.
struct LoopEvent: ~Copyable {
    let session: LiveSession
    let socket: LiveSocket
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
        guard attachments.isEmpty, self.socket.slot == .root else {
            let namespace = self.session.sockets.name(of: self.socket.slot)
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
        return DeferredAck(socket: LoopSocket(self.socket), id: id)
    }
}

/// A socket, for whoever wants to do something with it later, from any thread. Keeps it and its session in memory.
struct LoopSocket: Sendable {
    private let session: NIOLoopBound<LiveSession>
    private let socket: NIOLoopBound<LiveSocket>

    init(_ socket: LiveSocket) {
        self.session = NIOLoopBound(socket.session, eventLoop: socket.session.loop.eventLoop)
        self.socket = NIOLoopBound(socket, eventLoop: socket.session.loop.eventLoop)
    }

    /// Sends what `make` builds for the namespace's name, if the client is still in it.
    func send(_ make: @escaping @Sendable (_ namespace: String) -> OutboundPacket) {
        self.whileJoined { socket in
            let session = socket.session
            session.sendEvent(make(session.sockets.name(of: socket.slot)))
        }
    }

    /// Runs `body` with the socket on its loop.
    func onLoop(_ body: @escaping @Sendable (LiveSocket) -> Void) {
        let session = self.session
        self.socket.execute { socket in
            withExtendedLifetime(session) { body(socket) }
        }
    }

    /// The same, unless the client has left the namespace.
    func whileJoined(_ body: @escaping @Sendable (LiveSocket) -> Void) {
        self.onLoop { socket in
            if socket.session.socket(socket.slot) === socket, socket.session.sockets.isConnected(socket.slot) {
                body(socket)
            }
        }
    }

    /// Asks the socket something, on its loop.
    func ask<Answer: Sendable>(_ body: @escaping @Sendable (LiveSocket) -> Answer) async -> Answer {
        await withCheckedContinuation { continuation in
            self.onLoop { continuation.resume(returning: body($0)) }
        }
    }
}

/// An ack that is still owed.
struct DeferredAck: Sendable {
    let socket: LoopSocket
    let id: Int64

    func send(_ packet: OutboundPacket) {
        self.socket.send { _ in packet }
    }

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
