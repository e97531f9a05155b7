import NIOCore
import Wire

/// Sends `pub(user, payload)` with ack and keeps what it was told.
final class PublishingClient: LoadClient {
    private struct Pending {
        let user: Int
        let number: Int
        let sentAt: UInt64
    }

    private var log: PublishLog?
    /// Of connections that ended.
    private var closedLogs: [PublishLog] = []
    private var pending: [Int64: Pending] = [:]
    private var nextAck: Int64 = 0
    private var scratch = ByteBuffer()
    private var rounds = 0

    init(loop: LoadLoop, index: Int) {
        super.init(
            loop: loop, index: index, user: "\(loop.plan.userPrefix)-publisher-\(index)", isPublisher: true)
    }

    var unacknowledged: Int { self.pending.count }

    override func didConnect(pid: String?) {
        // Order is promised to one connection of a sender, so that each is a stream of its own.
        self.log = PublishLog(stream: self.loop.streams.next(), users: self.loop.plan.users)
        self.nextAck = 0
        if self.loop.isRunning { self.fill() }
    }

    /// Publishes as many as may be in flight; nothing for a load that is paced.
    func fill() {
        guard let inFlight = self.loop.plan.publishInFlight else { return }
        while self.isLive, self.loop.isRunning, self.unacknowledged < inFlight, self.socket?.isWritable == true,
            self.loop.tally.sent < LoadPlan.mostEvents
        {
            self.publish(to: self.round(), due: self.loop.now)
        }
    }

    /// Every publisher goes round all users; they start at different ones.
    func round() -> Int {
        let users = self.loop.plan.users
        let start = self.index * users / max(1, self.loop.plan.publishers)
        defer { self.rounds += 1 }
        return (self.rounds + start) % users
    }

    override func didDisconnect(_ end: ConnectionEnd, bytesReceived: Int) {
        if let log = self.log { self.closedLogs.append(log) }
        self.log = nil
        self.pending = [:]
    }

    /// - Parameter due: when the event was to be sent.
    func publish(to user: Int, due: UInt64) {
        guard let socket = self.socket, socket.isWritable, self.log != nil,
            self.pending.count < self.loop.plan.maxUnacknowledged
        else {
            self.loop.tally.skipped += 1
            return
        }
        let now = self.loop.now
        guard let stream = self.log?.stream, let number = self.log?.write(user: user, at: now) else { return }
        let id = self.nextAck
        self.nextAck += 1
        self.pending[id] = Pending(user: user, number: number, sentAt: now)
        self.scratch.clear()
        self.scratch.writeStaticString("42")
        self.scratch.writeDecimal(UInt64(id))
        self.scratch.writeStaticString("[\"pub\",")
        self.scratch.writeImmutableBuffer(self.loop.userNames[user])
        self.scratch.writeStaticString(",")
        LoadPayload(stream: stream, number: number, due: due)
            .write(padding: self.loop.plan.padding, into: &self.scratch)
        self.scratch.writeStaticString("]")
        socket.send(self.scratch)
        self.loop.tally.sent += 1
    }

    override func acknowledged(_ id: Int64, _ arguments: UnsafeRawBufferPointer) {
        guard let event = self.pending.removeValue(forKey: id) else {
            self.socket?.close(.violation("ack \(id) answers nothing"))
            return
        }
        self.log?.settle(user: event.user, number: event.number, ReceiptReader.fate(of: arguments))
        self.loop.tally.acknowledged += 1
        self.loop.tally.ackTime.record(self.loop.now - event.sentAt)
        self.fill()
    }

    var logs: [PublishLog] { self.closedLogs + (self.log.map { [$0] } ?? []) }
}
