import DequeModule
import NIOCore
import Wire

/// The clients of one event loop, and what they share: clock, scratch memory, counts, the schedule of sends and cuts.
/// Touch only from `eventLoop`.
final class LoadLoop {
    /// How often a slow reader reads its share.
    static let slowReadsPerSecond = 10
    private static let tick = TimeAmount.milliseconds(1)
    private static let sweep = TimeAmount.milliseconds(250)

    let eventLoop: any EventLoop
    let plan: LoadPlan
    let streams: StreamNumbers
    let scratch = ScratchBuffer()
    /// JSON strings of the users that are published to.
    let userNames: [ByteBuffer]
    private let origin: NIODeadline
    /// Share of this loop in connects under way.
    private let concurrency: Int
    /// Microseconds since the run's origin, as of the latest entry into the loop.
    private(set) var now: UInt64 = 0
    var tally = LoadTally()
    var liveClients = 0
    private(set) var lastLiveAt: UInt64 = 0
    private(set) var isRunning = false
    private(set) var isEnding = false

    private var holders: [HoldingClient] = []
    private var echoers: [EchoingClient] = []
    private var receivers: [ReceivingClient] = []
    private var publishers: [PublishingClient] = []
    private var waiting: Deque<LoadClient> = []
    private var connecting = 0
    private var isPumping = false
    private var dirty: [LoadSocket] = []
    private var isFlushScheduled = false
    private var pacer: Pacer?
    private var paced = 0
    private var mask: UInt32

    /// - Parameters:
    ///   - index: of this loop, 0 ..< `plan.loops`; it has every client whose number leaves that remainder.
    init(eventLoop: any EventLoop, index: Int, plan: LoadPlan, streams: StreamNumbers, origin: NIODeadline) {
        self.eventLoop = eventLoop
        self.plan = plan
        self.streams = streams
        self.origin = origin
        self.concurrency = max(1, plan.concurrency / plan.loops)
        self.mask = 0x9E37_79B9 &+ UInt32(truncatingIfNeeded: index)
        self.userNames =
            plan.publishers == 0
            ? []
            : (0..<plan.users).map { user in
                var name = ByteBuffer()
                name.writeJSONString("\(plan.userPrefix)-\(user)")
                return name
            }
        for number in stride(from: index, to: plan.connections, by: plan.loops) {
            switch plan.work {
            case .hold, .storm: self.holders.append(HoldingClient(loop: self, index: number))
            case .echo: self.echoers.append(EchoingClient(loop: self, index: number))
            case .receive: self.receivers.append(ReceivingClient(loop: self, index: number))
            }
        }
        for number in stride(from: index, to: plan.publishers, by: plan.loops) {
            self.publishers.append(PublishingClient(loop: self, index: number))
        }
    }

    private lazy var clients: [LoadClient] = self.holders + self.echoers + self.receivers + self.publishers

    // MARK: What clients use

    func refresh() { self.now = UInt64(max(0, (NIODeadline.now() - self.origin).nanoseconds)) / 1000 }

    func beginRead() { self.refresh() }

    /// A number that changes every time: mask keys and jitter ask for no more.
    func nextMask() -> UInt32 {
        self.mask ^= self.mask << 13
        self.mask ^= self.mask >> 17
        self.mask ^= self.mask << 5
        return self.mask
    }

    /// The socket has something to send: at the end of this tick.
    func flushLater(_ socket: LoadSocket) {
        self.dirty.append(socket)
        guard !self.isFlushScheduled else { return }
        self.isFlushScheduled = true
        self.eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func flush() {
        self.isFlushScheduled = false
        let sockets = self.dirty
        self.dirty.removeAll(keepingCapacity: true)
        for socket in sockets { socket.flush() }
    }

    func enqueue(_ client: LoadClient) {
        self.waiting.append(client)
        self.pump()
    }

    func attemptEnded(becameLive: Bool) {
        self.connecting -= 1
        if becameLive {
            self.liveClients += 1
            self.lastLiveAt = self.now
        }
        self.pump()
    }

    private func pump() {
        guard !self.isPumping else { return }
        self.isPumping = true
        while self.connecting < self.concurrency, !self.isEnding, let client = self.waiting.popFirst() {
            self.connecting += 1
            client.open()
        }
        self.isPumping = false
    }

    // MARK: Phases of a run

    func connectAll() {
        self.refresh()
        self.repeatTask(every: Self.sweep) { $0.checkTimes() }
        if self.plan.slow != nil {
            self.repeatTask(every: .milliseconds(1000 / Int64(Self.slowReadsPerSecond))) { $0.readSlowly() }
        }
        self.waiting.append(contentsOf: self.clients)
        self.pump()
    }

    /// - Parameters:
    ///   - start, end: when the first and behind the last event are due, microseconds since the origin.
    func beginWork(start: UInt64, end: UInt64) {
        self.refresh()
        self.isRunning = true
        if let rate = self.ownRate, rate > 0 {
            self.pacer = Pacer(rate: rate, start: start, end: end)
            self.repeatTask(every: Self.tick) { $0.sendWhatIsDue() }
        }
        for echoer in self.echoers { echoer.fill() }
        for publisher in self.publishers { publisher.fill() }
        guard let cuts = self.plan.cuts else { return }
        for receiver in self.receivers where receiver.slow == nil {
            let first = start + cuts.every * UInt64(receiver.index + 1) / UInt64(self.plan.connections)
            self.cut(receiver, at: first, every: cuts.every, until: end)
        }
    }

    /// Resets every live connection; each comes back at once.
    func dropAll() {
        self.refresh()
        for client in self.clients where client.isLive {
            self.tally.cuts += 1
            client.socket?.cut()
        }
    }

    func stopWork() {
        self.sendWhatIsDue()
        self.isRunning = false
        self.pacer = nil
    }

    /// Closes everything and tells what there is to tell.
    func finish() -> LoadResult {
        self.refresh()
        self.isEnding = true
        let result = LoadResult(
            snapshot: self.snapshot(), receivers: self.receivers.map { $0.account() },
            logs: self.publishers.flatMap { $0.logs },
            unanswered: self.echoers.reduce(0) { $0 + $1.unacknowledged })
        for client in self.clients { client.socket?.finish() }
        return result
    }

    func snapshot() -> LoadSnapshot {
        LoadSnapshot(
            tally: self.tally, live: self.liveClients, lastLiveAt: self.lastLiveAt,
            unacknowledged: self.publishers.reduce(0) { $0 + $1.unacknowledged }
                + self.echoers.reduce(0) { $0 + $1.unacknowledged })
    }

    // MARK: Timers

    private func repeatTask(every interval: TimeAmount, _ work: @escaping (LoadLoop) -> Void) {
        self.eventLoop.assumeIsolated().scheduleTask(in: interval) {
            guard !self.isEnding else { return }
            self.refresh()
            work(self)
            self.repeatTask(every: interval, work)
        }
    }

    private func checkTimes() {
        for client in self.clients {
            client.checkAttempt()
            if client.slow == nil { client.socket?.checkSilence(at: self.now) }
        }
    }

    private func readSlowly() {
        for receiver in self.receivers where receiver.slow != nil && receiver.isLive { receiver.socket?.readOnce() }
    }

    private func cut(_ receiver: ReceivingClient, at time: UInt64, every: UInt64, until end: UInt64) {
        guard time < end else { return }
        let deadline = self.origin + .microseconds(Int64(time))
        self.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            guard self.isRunning else { return }
            if receiver.isLive {
                self.tally.cuts += 1
                receiver.socket?.cut()
            }
            self.cut(receiver, at: time + every, every: every, until: end)
        }
    }

    /// Events a second that this loop's clients send; nil for a load that is not paced.
    private var ownRate: Double? {
        switch self.plan.work {
        case .hold, .storm: nil
        case .echo(_, let rate):
            rate.map { $0 * Double(self.echoers.count) / Double(max(1, self.plan.connections)) }
        case .receive:
            self.plan.rate * Double(self.plan.users) * Double(self.publishers.count)
                / Double(max(1, self.plan.publishers))
        }
    }

    private func sendWhatIsDue() {
        guard self.isRunning else { return }
        while let due = self.pacer?.next(at: self.now) {
            switch self.plan.work {
            case .hold, .storm: break
            case .echo: self.echoers[self.paced % self.echoers.count].send(due: due)
            case .receive:
                let publisher = self.publishers[self.paced % self.publishers.count]
                publisher.publish(to: publisher.round(), due: due)
            }
            self.paced += 1
        }
        self.tally.lag = max(self.tally.lag, self.pacer?.maxLag ?? 0)
    }
}

@available(*, unavailable) extension LoadLoop: Sendable {}
