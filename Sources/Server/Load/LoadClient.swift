import NIOCore
import NIOPosix
import Wire

/// One client over all its connections: it connects, and comes back after cuts and losses. On its loop. What it does
/// while it is connected is its subclass's.
class LoadClient {
    private enum Phase { case away, connecting, live, done }

    /// Waits of the official clients, which are doubled with each attempt up to the longer one, half of them more or less at
    /// random. Milliseconds.
    private static let firstWait: Int64 = 1000
    private static let longestWait: Int64 = 5000

    let loop: LoadLoop
    /// Among all clients of its kind.
    let index: Int
    let user: String
    private var target: Int
    private var phase = Phase.away
    private(set) var socket: LoadSocket?
    private var attempts = 0
    private var startedAt: UInt64 = 0
    /// When CONNECT was answered last.
    private(set) var liveSince: UInt64 = 0
    private(set) var wasLive = false
    private var attempt = 0

    init(loop: LoadLoop, index: Int, user: String, isPublisher: Bool = false) {
        self.loop = loop
        self.index = index
        self.user = user
        self.target = loop.plan.firstTarget(ofPublisher: isPublisher, index: index)
    }

    var isLive: Bool { self.phase == .live }

    // MARK: What subclasses do

    /// The CONNECT packet with its auth payload, Engine.IO's `4` in front.
    func connectPacket() -> ByteBuffer {
        Self.connectPacket(recovery: nil, user: self.user)
    }

    /// CONNECT was answered.
    func didConnect(pid: String?) {}

    /// - Parameter text: what the packet's ranges refer to.
    func received(_ packet: SocketPacket, _ text: UnsafeRawBufferPointer) { self.loop.tally.otherEvents += 1 }

    /// - Parameter arguments: the ack's JSON array.
    func acknowledged(_ id: Int64, _ arguments: UnsafeRawBufferPointer) {}

    /// A live connection is no more.
    func didDisconnect(_ end: ConnectionEnd, bytesReceived: Int) {}

    /// Whether the client comes back after a loss.
    var returns: Bool { true }

    // MARK: Connecting

    /// Starts the TCP connection; `ended` or `connected` follows.
    func open() {
        self.loop.refresh()
        self.phase = .connecting
        self.startedAt = self.loop.now
        self.attempt += 1
        let attempt = self.attempt
        let target = self.loop.plan.targets[self.target]
        let socket = LoadSocket(client: self, target: target)
        let bound = NIOLoopBound(socket, eventLoop: self.loop.eventLoop)
        self.socket = socket
        let timeout = TimeAmount.microseconds(Int64(self.loop.plan.connectTimeout))
        ClientBootstrap(group: self.loop.eventLoop).connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try bound.value.configure(channel)
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(to: target.address).assumeIsolated().whenFailure { _ in
                // A channel that never became active does not say that it is inactive.
                if self.attempt == attempt { self.ended(.tcpRefused) }
            }
    }

    /// Gives up an attempt that takes too long. Asked every now and then: a timer for each would cost more than the attempt.
    func checkAttempt() {
        guard self.phase == .connecting, self.loop.now - self.startedAt >= self.loop.plan.connectTimeout else { return }
        self.socket?.close(.connectTimeout)
    }

    /// Set for a slow reader.
    var slow: LoadPlan.Slow? { nil }

    func connected(pid: String?) {
        self.phase = .live
        self.attempts = 0
        self.liveSince = self.loop.now
        self.loop.tally.connects += 1
        self.loop.tally.connectTime.record(self.liveSince - self.startedAt)
        self.didConnect(pid: pid)
        self.wasLive = true
        self.loop.attemptEnded(becameLive: true)
    }

    /// The present connection, or the attempt at one, is over.
    func ended(_ end: ConnectionEnd) {
        guard self.phase == .connecting || self.phase == .live else { return }
        self.loop.refresh()
        let was = self.phase
        let bytes = self.socket?.bytesReceived ?? 0
        self.attempt += 1
        self.phase = .away
        self.socket = nil
        if was == .live {
            self.loop.liveClients -= 1
            if end != .cut, end != .finished { self.loop.tally.drops[end.text, default: 0] += 1 }
            self.didDisconnect(end, bytesReceived: bytes)
        } else {
            if end != .finished {
                self.loop.tally.failures[end.text, default: 0] += 1
                self.attempts += 1
                self.moveOn()
            }
            self.loop.attemptEnded(becameLive: false)
        }
        guard end != .finished, !self.loop.isEnding, self.returns else {
            self.phase = .done
            return
        }
        self.comeBack(after: end)
    }

    private func comeBack(after end: ConnectionEnd) {
        if end == .cut, case .storm = self.loop.plan.work { return self.loop.enqueue(self) }
        var wait = Self.firstWait
        if end == .cut, let cuts = self.loop.plan.cuts {
            wait = Int64(cuts.pause / 1000)
            if self.loop.plan.roams { self.moveOn() }
        } else {
            let (rounds, place) = self.attempts.quotientAndRemainder(dividingBy: self.loop.plan.targets.count)
            // A proxy asks its next node at once, and the client hears of it when all have refused.
            wait = place > 0 ? 0 : Self.firstWait << Int64(min(rounds, 5))
            wait = min(wait / 2 + Int64(self.loop.nextMask() % UInt32(wait + 1)), Self.longestWait)
        }
        self.loop.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(wait)) {
            if !self.loop.isEnding { self.loop.enqueue(self) }
        }
    }

    private func moveOn() { self.target = (self.target + 1) % self.loop.plan.targets.count }

    /// - Parameter recovery: what was kept of the last connection; nil where recovery is not asked for.
    static func connectPacket(recovery: RecoveryState?, user: String) -> ByteBuffer {
        var packet = ByteBuffer(string: "40{")
        if let pid = recovery?.pid {
            packet.writeStaticString("\"pid\":")
            packet.writeJSONString(pid)
            if let offset = recovery?.offset {
                packet.writeStaticString(",\"offset\":")
                packet.writeJSONString(offset)
            }
            packet.writeStaticString(",")
        }
        packet.writeStaticString("\"user\":")
        packet.writeJSONString(user)
        packet.writeStaticString(",\"client\":\"c\"}")
        return packet
    }
}

@available(*, unavailable) extension LoadClient: Sendable {}
