import NIOCore
import Wire

/// A tab: it receives `msg` events, keeps account of them, and comes back with `{pid, offset}`.
final class ReceivingClient: LoadClient {
    /// Events that came before the answer to CONNECT, which decides what they count as.
    private struct Held {
        let payload: LoadPayload?
        let offset: String?
    }

    /// A server that replays more than this before it answers is told off.
    private static let maxHeld = 1_000_000

    private let userIndex: Int
    private var ledger = DeliveryLedger()
    private var recovery = RecoveryState()
    private var held: [Held] = []
    private var slowEnd: SlowReader?
    private let isSlow: Bool

    init(loop: LoadLoop, index: Int) {
        self.userIndex = loop.plan.user(of: index)
        self.isSlow = loop.plan.isSlow(index)
        super.init(loop: loop, index: index, user: "\(loop.plan.userPrefix)-\(loop.plan.user(of: index))")
    }

    override var slow: LoadPlan.Slow? { self.isSlow ? self.loop.plan.slow : nil }

    /// A slow reader that was closed has told what there was to tell.
    override var returns: Bool { !self.isSlow }

    override func connectPacket() -> ByteBuffer {
        LoadClient.connectPacket(recovery: self.loop.plan.recovers ? self.recovery : nil, user: self.user)
    }

    override func didConnect(pid: String?) {
        let now = self.loop.now
        let presented = self.loop.plan.recovers ? self.recovery : RecoveryState()
        let isRecovered = self.recovery.connected(pid: pid) && presented.pid != nil
        if !self.wasLive {
            self.ledger.beginAfresh(at: now)
        } else if isRecovered {
            self.ledger.recovered()
            self.loop.tally.recovered += 1
        } else {
            self.ledger.beginAfresh(at: now)
            if presented.pid == nil {
                self.loop.tally.returned += 1
            } else {
                self.loop.tally.notRecovered += 1
                if presented.offset == nil { self.loop.tally.withoutOffset += 1 }
            }
        }
        for event in self.held { self.account(event, isReplay: true) }
        self.held = []
        if self.isSlow { self.socket?.pause() }
    }

    override func didDisconnect(_ end: ConnectionEnd, bytesReceived: Int) {
        self.held = []
        guard self.isSlow else { return }
        self.slowEnd = SlowReader(
            index: self.index, end: end.text, seconds: Double(self.loop.now - self.liveSince) / 1_000_000,
            bytes: bytesReceived, events: self.ledger.received)
    }

    override func received(_ packet: SocketPacket, _ text: UnsafeRawBufferPointer) {
        let json = UnsafeRawBufferPointer(rebasing: text[packet.payload])
        let arguments = ArgumentReader(event: json)
        var offset: String?
        if self.loop.plan.recovers, let last = arguments.last {
            offset = ArgumentReader.string(UnsafeRawBufferPointer(rebasing: json[last]))
        }
        var payload: LoadPayload?
        if packet.isEvent("msg", in: text), let first = arguments.first {
            payload = LoadPayload(UnsafeRawBufferPointer(rebasing: json[first]))
        }
        let event = Held(payload: payload, offset: offset)
        guard self.isLive else {
            guard self.held.count < Self.maxHeld else {
                self.socket?.close(.violation("more than \(Self.maxHeld) events before CONNECT"))
                return
            }
            self.held.append(event)
            return
        }
        self.account(event, isReplay: false)
    }

    private func account(_ event: Held, isReplay: Bool) {
        self.recovery.received(lastArgument: event.offset)
        guard let payload = event.payload else {
            self.loop.tally.otherEvents += 1
            return
        }
        if self.isSlow { self.loop.tally.receivedSlowly += 1 } else { self.loop.tally.received += 1 }
        switch self.ledger.receive(stream: payload.stream, number: payload.number) {
        case .inOrder: break
        case .afterGap: self.loop.tally.gaps += 1
        case .late: self.loop.tally.reordered += 1
        case .duplicate: self.loop.tally.duplicates += 1
        }
        if isReplay || payload.due < self.liveSince {
            self.loop.tally.replayed += 1
        } else if !self.isSlow, self.loop.now >= payload.due {
            self.loop.tally.latency.record(self.loop.now - payload.due)
        }
    }

    /// What this tab has to say at the end.
    func account() -> ReceiverAccount {
        var slow = self.slowEnd
        if self.isSlow, slow == nil, let socket = self.socket {
            slow = SlowReader(
                index: self.index, end: nil, seconds: Double(self.loop.now - self.liveSince) / 1_000_000,
                bytes: socket.bytesReceived, events: self.ledger.received)
        }
        return ReceiverAccount(
            user: self.userIndex, ledger: self.ledger, isLive: self.isLive, isSlow: self.isSlow, slow: slow)
    }
}
