import NIOCore
import Routing
import Wire

/// Times and limits of live connections. Every one has a metric (docs/operations.md, "Limits").
public struct LiveOptions: Sendable {
    /// Seconds between heartbeats, and seconds to answer one (SPEC LC-9). Default 10 and 10.
    public var pingInterval: Double
    public var pingTimeout: Double
    /// Bytes of one POST body or WebSocket message (SPEC §8). Default 1,000,000.
    public var maximumPayload: Int
    /// Seconds in which a new engine session must join a namespace. Default 45.
    public var connectTimeout: Double
    /// Seconds from the first byte of a connection to the end of its request head. Default 10.
    public var headTimeout: Double
    /// Bytes that may wait for one socket; beyond it the socket is closed as a slow consumer (SPEC EV-4). Default 4 MiB.
    public var maximumUnsent: Int
    /// Bytes of one encoded event (SPEC EV-4). Default 65,536, at most 1,048,576.
    public var maximumEvent: Int
    /// Connections per client and per user (SPEC LC-9). Default 64 and 256.
    public var connectionsPerClient: Int
    public var connectionsPerUser: Int
    /// Connects being authenticated or committed at once (SPEC ND-15). Default 2,000.
    public var pendingConnects: Int
    /// Seconds that a connect may take (SPEC ND-15). Default 5.
    public var pendingConnectTimeout: Double
    /// Seconds in which connects are to get done: where they take longer as the node or the database can't do more, handshakes
    /// are refused for a moment, so that no connect waits until it is given up (SPEC ND-15). 0: never; at most 60. Default 1: a
    /// fifth of ``pendingConnectTimeout``.
    public var connectTarget: Double
    /// New engine sessions a second that this node takes, a tenth of it at once (SPEC ND-15). Default 1,000; it is what the
    /// node tells others that leave, too, while it has nothing else to do (ND-12).
    public var acceptRate: Int
    /// Closes per second when many sockets go at once (SPEC ND-15). Default 5,000.
    public var closesPerSecond: Int
    /// Seconds over which a drain spreads its clients (SPEC ND-12). Default 5.
    public var drainSpread: Double
    /// Seconds that a drain takes at most, however little the other nodes can take (SPEC ND-12). Default 60.
    public var maxDrain: Double
    /// Engine sessions of this node. Default 100,000.
    public var maximumSessions: Int
    /// Sockets from foreign origins may connect (SPEC ID-18). Default false.
    public var allowForeignSockets: Bool
    /// Who may open a live connection (SPEC ID-18). Default ``LiveRequirement/active``.
    public var liveRequires: LiveRequirement
    /// Application handlers that may run or wait at once on this node. Default 10,000.
    public var runningHandlers: Int
    /// Paths, transports, cookie, CORS, compression.
    public var transport = TransportOptions()

    /// Namespaces of this node whose names clients have chosen (SOCKETIO §11.4). Default 10,000.
    public var dynamicNamespaces: Int
    /// Everything else that is limited.
    public var limits: LimitOptions

    /// Connection state recovery (SOCKETIO §14): seconds in which a client that was lost gets its connection back, with
    /// everything that it has missed. 0, the default, is off and costs nothing; the reference server has 120. At most an hour.
    public var recoveryWindow: Double

    /// Seconds for which a user or device whose last connection was lost stays announced online, so that a page that is
    /// reloaded announces nothing (SPEC LC-8). Default 5; 0: offline at once; at most 600. Who is kicked or logged out is
    /// offline at once. Sends and `isActive` know no grace.
    public var presenceGrace: Double
    /// The same for connections that a draining node sends elsewhere, also where ``presenceGrace`` is 0: the time in which
    /// official clients come back, a refused attempt or two included. Default 20, at most 600; the longer of the two counts.
    /// Of no use to a node with its state in memory, which has no other to send them to.
    public var movingGrace: Double
    /// Seconds for which a Link waits for a party that has lost its last connection, so that a page that is reloaded keeps it
    /// (SPEC LK-13). Default 10; 0: closed at once; at most 600. Where ``movingGrace`` applies, the longer of the two counts.
    public var linkGrace: Double

    public init() {
        self.init(mode: .production)
    }

    init(mode: Configuration.Mode) {
        let isConformance = mode == .conformance
        self.pingInterval = isConformance ? 0.3 : 10
        self.pingTimeout = isConformance ? 0.2 : 10
        self.maximumPayload = 1_000_000
        self.connectTimeout = isConformance ? 1 : 45
        self.headTimeout = 10
        self.maximumUnsent = 4 << 20
        self.maximumEvent = isConformance ? 1 << 20 : 1 << 16
        self.connectionsPerClient = isConformance ? .max : 64
        self.connectionsPerUser = isConformance ? .max : 256
        self.pendingConnects = isConformance ? 20_000 : 2_000
        self.pendingConnectTimeout = 5
        self.connectTarget = isConformance ? 0 : 1
        self.acceptRate = isConformance ? 100_000 : 1_000
        self.closesPerSecond = 5_000
        self.drainSpread = 5
        self.maxDrain = 60
        self.maximumSessions = 100_000
        self.allowForeignSockets = isConformance
        self.liveRequires = isConformance ? .nothing : .active
        self.runningHandlers = 10_000
        self.dynamicNamespaces = 10_000
        if isConformance { self.transport.crossOrigin.origins = .any }
        self.limits = LimitOptions(mode: mode)
        self.recoveryWindow = 0
        self.presenceGrace = 5
        self.movingGrace = 20
        self.linkGrace = 10
    }

    var rooms: RoomTable.Limits {
        var limits = RoomTable.Limits()
        limits.roomsPerSocket = self.limits.roomsPerSocket
        limits.nameBytes = self.limits.maximumRoomName
        return limits
    }

    var engine: EngineOptions {
        var options = EngineOptions(
            pingInterval: .milliseconds(Int64(self.pingInterval * 1000)),
            pingTimeout: .milliseconds(Int64(self.pingTimeout * 1000)), maxPayload: self.maximumPayload,
            maxPacketsPerPayload: self.limits.maximumPackets, maxQueuedBytes: self.maximumUnsent)
        self.transport.apply(to: &options)
        return options
    }

    /// What is wrong with the options, in words; nil when nothing is.
    var complaint: String? {
        let times = [
            ("pingInterval", self.pingInterval), ("pingTimeout", self.pingTimeout),
            ("connectTimeout", self.connectTimeout), ("headTimeout", self.headTimeout),
            ("pendingConnectTimeout", self.pendingConnectTimeout),
        ]
        for (name, value) in times where !(value >= 0.01 && value <= 86_400) {
            return "\(name) must be 10 ms to a day"
        }
        let counts = [
            ("maximumPayload", self.maximumPayload), ("maximumUnsent", self.maximumUnsent),
            ("connectionsPerClient", self.connectionsPerClient), ("connectionsPerUser", self.connectionsPerUser),
            ("pendingConnects", self.pendingConnects), ("closesPerSecond", self.closesPerSecond),
            ("acceptRate", self.acceptRate),
            ("maximumSessions", self.maximumSessions), ("runningHandlers", self.runningHandlers),
            ("dynamicNamespaces", self.dynamicNamespaces),
        ]
        for (name, value) in counts where value < 1 { return "\(name) must be at least 1" }
        if !(0...3_600).contains(self.recoveryWindow) { return "recoveryWindow must be 0 to 3,600 seconds" }
        for (name, value) in [
            ("presenceGrace", self.presenceGrace), ("movingGrace", self.movingGrace), ("linkGrace", self.linkGrace),
        ]
        where !(0...600).contains(value) {
            return "\(name) must be 0 to 600 seconds"
        }
        if !(0...60).contains(self.connectTarget) { return "connectTarget must be 0 to 60 seconds" }
        if !(0...600).contains(self.drainSpread) { return "drainSpread must be 0 to 600 seconds" }
        if !(self.drainSpread...3_600).contains(self.maxDrain) {
            return "maxDrain must be drainSpread to 3,600 seconds"
        }
        if self.acceptRate > 1_000_000 { return "acceptRate must be at most 1,000,000" }
        guard (1...EventLimits.ceiling).contains(self.maximumEvent) else {
            return "maximumEvent must be 1 to 1,048,576"
        }
        return self.transport.complaint ?? self.limits.complaint
    }
}
