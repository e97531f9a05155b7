import Routing
import Wire

/// How a client can come back as the connection that it has lost, and how far this one has come with that (SOCKETIO §14).
/// There is one only while connection state recovery is on: an object of its own, so that connections are small without it.
/// Loop-bound.
final class ConnectionReturn {
    /// The SID that was made for the connection: until it has got back another, its own.
    let prepared: SocketID
    /// The private ID that the client is told: a new one, or the one that it has come back with.
    private(set) var pid: String
    let ownHash: PrivateIDHash
    /// What a recovered connection has until its device has caught up.
    var gate: RecoveryGate?
    /// Whether the client got back the connection that it had lost.
    private(set) var isRecovered = false
    /// Where the client says that it is; nil where it does not come back.
    private(set) var position: RecoveryPosition?
    /// False once it is in more rooms than are kept, and so cannot come back.
    var keepsRooms = true
    private var presented: (pid: String, offset: String?)?
    private var missed: [RecoveryHistory.Event] = []

    init(_ auth: ConnectAuth, of prepared: SocketID) {
        self.prepared = prepared
        self.pid = Base64URL.random128()
        self.ownHash = LiveRecovery.hash(self.pid)
        self.presented = auth.pid.map { ($0, auth.offset) }
    }

    /// Whether the client wants to come back.
    var isAsked: Bool { self.presented != nil }

    /// - Returns: nil for a client that does not come back, or says no position of ours.
    func change(_ entry: RouteDocument.Connection, _ recovery: LiveRecovery) -> RouteChange? {
        guard let presented, let position = recovery.position(presented.offset) else { return nil }
        self.position = position
        return .recover(LiveRecovery.hash(presented.pid), entry)
    }

    /// It is that connection again, and keeps its private ID.
    func take(_ gate: RecoveryGate, _ history: RecoveryHistory) {
        if let presented { self.pid = presented.pid }
        self.gate = gate
        self.missed = history.events
        self.isRecovered = true
    }

    /// It is not.
    func forget() {
        self.presented = nil
        self.position = nil
    }

    /// What the client has missed, with its offsets. Once.
    func replay() -> [OutboundPacket] {
        defer { self.missed = [] }
        return self.missed.compactMap { self.gate?.pass($0.packet, $0.mark) }
    }
}

@available(*, unavailable) extension ConnectionReturn: Sendable {}
