import Metrics
import NIOCore
import Routing
import Wire

/// A socket: one session in one namespace, as its rooms and the application see it (SOCKETIO §11). Loop-bound.
///
/// On `/` it is a ``LiveConnection``, elsewhere a ``NamespaceSocket``.
class LiveSocket: RoomMember {
    /// Invariant: the session holds its sockets and outlives them; whoever keeps a socket longer keeps the session as well.
    unowned let session: LiveSession
    // Small ones together: there are as many of these objects as connections.
    let slot: NamespaceSlot
    var seat: Int32 = -1
    /// Whether the client is still to be asked to renew.
    var isAskDue = false
    /// The application is asked whether it may connect.
    var isWaiting = false
    let namespace: InstalledNamespace
    /// Acknowledgements that the client owes.
    private(set) var acks = AckTable<(AckAnswer) -> Void>()
    /// What the application keeps with the socket, as JSON.
    var data: ByteBuffer? {
        get { self.rareData.value }
        set { self.rareData.value = newValue }
    }
    private var rareData = Rare<ByteBuffer>()
    /// What the application sees of the first request; only where it asked to.
    var handshake: SocketHandshake? {
        get { self.rareHandshake.value }
        set { self.rareHandshake.value = newValue }
    }
    private var rareHandshake = Rare<SocketHandshake>()
    var rooms: [Room] = []
    /// Whom it belongs to; nil for a guest, where guests may connect, and before that is known.
    var identity: ConnectionIdentity?
    /// When its authority is looked at next (SPEC ID-16).
    var authorityDeadline = NIODeadline.distantFuture

    init(session: LiveSession, slot: NamespaceSlot, namespace: InstalledNamespace) {
        self.session = session
        self.slot = slot
        self.namespace = namespace
    }

    var randomPart: UInt128 { preconditionFailure("a socket is one of two kinds, each with an id of its own") }
    var sid: String { preconditionFailure("a socket is one of two kinds, each with an id of its own") }

    var scope: RoomScope {
        RoomScope(domain: self.session.handshake.domain, namespace: self.session.sockets.name(of: self.slot))
    }

    /// Whether the client understands a question for its renewal.
    var mayBeAsked: Bool { false }

    /// What vouched for it does so no more.
    func endAuthority(_ reason: LogoutReason) {
        preconditionFailure("a socket is one of two kinds, each with an end of its own")
    }

    /// Runs `body` once the socket has left and what Links it was the last connection of are closed: at once where it has none.
    func whenLinksClosed(_ body: @escaping @Sendable () -> Void) { body() }

    // MARK: From rooms

    func emit(_ packet: SharedPacket, _ delivery: Delivery, _ mark: RecoveryMark?) {
        self.session.send(packet, delivery)
    }

    /// Only on `/` rooms are kept for a client that comes back (SOCKETIO §14.2).
    func roomsChanged(_ done: @escaping @Sendable () -> Void) { done() }

    /// Whether the application knows of it: a client that comes back is in its rooms a little earlier.
    var isJoined: Bool { self.seat >= 0 }

    func emit(
        _ packet: SharedPacket, ackID id: Int64, until deadline: NIODeadline, answer: @escaping (AckAnswer) -> Void
    ) {
        do {
            try self.acks.expect(
                id, answer, until: deadline, limit: self.session.loop.server.limits.pendingAcks)
        } catch {
            if error == .full { self.session.loop.server.metrics.hit(.pendingAcks) }
            self.session.loop.server.metrics.acksRefused.increment()
            return answer(.none(.tooManyOutstanding))
        }
        self.session.reschedule()
        self.session.send(packet, .required)
    }

    func disconnect(closes: Bool) {
        self.session.disconnect(self, closes: closes)
    }

    func describe() -> ByteBuffer { SocketDescription(self).json }

    // MARK: Acknowledgements

    /// The client has answered. What nobody waits for is ignored (SOCKETIO §10.3).
    func answered(_ id: Int64, _ item: @autoclosure () -> RoomReply.Item) {
        guard let waiter = self.acks.take(id) else { return }
        waiter(.arguments(item()))
    }

    func expireAcks(at now: NIODeadline) {
        guard !self.acks.isEmpty else { return }
        for waiter in self.acks.expire(at: now) {
            self.session.loop.server.metrics.acksTimedOut.increment()
            waiter(.timedOut)
        }
    }

    /// The socket is gone: nothing more will be answered.
    func endAcks() {
        guard !self.acks.isEmpty else { return }
        for waiter in self.acks.removeAll() { waiter(.none(.disconnected)) }
    }
}

@available(*, unavailable) extension LiveSocket: Sendable {}
