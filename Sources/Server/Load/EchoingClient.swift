import NIOCore
import Wire

/// Sends `echo` events and checks that each ack brings its arguments back, once and in order.
final class EchoingClient: LoadClient {
    private struct Pending {
        let id: Int64
        let due: UInt64
    }

    /// In order of sending; answered ones are taken off the front.
    private var pending: [Pending] = []
    private var answered = 0
    private var nextAck: Int64 = 0
    private var scratch = ByteBuffer()

    init(loop: LoadLoop, index: Int) {
        super.init(loop: loop, index: index, user: "\(loop.plan.userPrefix)-\(index)")
    }

    var unacknowledged: Int { self.pending.count - self.answered }

    override func didConnect(pid: String?) {
        if self.loop.isRunning { self.fill() }
    }

    override func didDisconnect(_ end: ConnectionEnd, bytesReceived: Int) {
        self.loop.tally.echoBroken += self.unacknowledged
        self.pending = []
        self.answered = 0
        self.nextAck = 0
    }

    /// Sends as many as may be in flight; nothing for a load that is paced.
    func fill() {
        guard case .echo(let inFlight, nil) = self.loop.plan.work else { return }
        while self.isLive, self.loop.isRunning, self.unacknowledged < inFlight { self.send(due: self.loop.now) }
    }

    func send(due: UInt64) {
        guard self.isLive, let socket = self.socket, socket.isWritable,
            self.unacknowledged < self.loop.plan.maxUnacknowledged
        else {
            self.loop.tally.skipped += 1
            return
        }
        let id = self.nextAck
        self.nextAck += 1
        self.pending.append(Pending(id: id, due: due))
        self.scratch.clear()
        self.scratch.writeStaticString("42")
        self.scratch.writeDecimal(UInt64(id))
        self.scratch.writeStaticString("[\"echo\",")
        LoadPayload(stream: self.index, number: Int(id), due: due)
            .write(padding: self.loop.plan.padding, into: &self.scratch)
        self.scratch.writeStaticString("]")
        socket.send(self.scratch)
        self.loop.tally.sent += 1
    }

    override func acknowledged(_ id: Int64, _ arguments: UnsafeRawBufferPointer) {
        guard let index = self.pending[self.answered...].firstIndex(where: { $0.id == id }) else {
            self.loop.tally.echoDuplicates += 1
            return
        }
        let due = self.pending[index].due
        if index == self.answered {
            self.answered += 1
            if self.answered >= 1024 || self.answered == self.pending.count {
                self.pending.removeFirst(self.answered)
                self.answered = 0
            }
        } else {
            self.loop.tally.echoReordered += 1
            self.pending.remove(at: index)
        }
        var reader = JSONArrayReader(arguments)
        let payload = reader.next().flatMap { LoadPayload(UnsafeRawBufferPointer(rebasing: arguments[$0])) }
        if payload != LoadPayload(stream: self.index, number: Int(id), due: due) { self.loop.tally.echoMangled += 1 }
        self.loop.tally.acknowledged += 1
        if self.loop.now >= due { self.loop.tally.latency.record(self.loop.now - due) }
        self.fill()
    }
}
