import Logging
import Metrics
import NIOCore
import Routing
import Synchronization
import Wire

/// Runs an ``InboxMachine`` on one thread: takes what the tails read, hands messages to the receiver, sends the probes.
/// A receiver that holds up the thread holds up the tails (SPEC ND-8 to ND-11).
final class BusInbox: Sendable {
    fileprivate struct Probe {
        var received: NIODeadline?
        var latency: TimeAmount?
    }

    fileprivate struct State {
        var probes: [Probe]
        var gaps = 0
        /// Waiters for the first probe of every home.
        var waiters: [CheckedContinuation<Bool, Never>] = []
        var isClosed = false
    }

    private let node: NodeID
    private let nodeText: String
    private let homes: [NodeRecord.Home]
    private let limits: InboxLimits
    private let formats: Formats
    private let queue: InboxQueue
    private let outbox: BusOutbox
    private let tails: [HomeTail]
    private let receiver: any ClusterReceiver
    private let directory: any NodeDirectory
    private let tracer: Tracer?
    private let metrics: BusMetrics
    private let logger: Logger
    private let state: Mutex<State>

    init(
        node: NodeID, homes: [NodeRecord.Home], limits: InboxLimits, formats: Formats, queue: InboxQueue,
        outbox: BusOutbox, tails: [HomeTail], receiver: any ClusterReceiver, directory: any NodeDirectory,
        tracer: Tracer?, metrics: BusMetrics, logger: Logger
    ) {
        self.node = node
        self.nodeText = node.text
        self.homes = homes
        self.limits = limits
        self.formats = formats
        self.queue = queue
        self.outbox = outbox
        self.tails = tails
        self.receiver = receiver
        self.directory = directory
        self.tracer = tracer
        self.metrics = metrics
        self.logger = logger
        self.state = Mutex(State(probes: homes.map { _ in Probe() }))
    }

    var health: BusHealth {
        let now = BusClock.now()
        let modes = self.tails.map { $0.mode ?? "none" }
        return self.state.withLock { state in
            BusHealth(
                probeAge: state.probes.map { probe in probe.received.map { (now - $0).seconds } ?? .infinity },
                latency: state.probes.map { $0.latency?.seconds ?? .infinity }, modes: modes, gaps: state.gaps)
        }
    }

    /// Waits for the first probe of every home, or for ``giveUpStart()``. - Returns: whether they came.
    func awaitProbes() async -> Bool {
        await withCheckedContinuation { continuation in
            let result: Bool? = self.state.withLock { state in
                if state.isComplete { return true }
                if state.isClosed { return false }
                state.waiters.append(continuation)
                return nil
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    /// Ends ``awaitProbes()``.
    func giveUpStart() {
        let waiters = self.state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: false) }
    }

    /// The thread's body; ends with the queue.
    func run() {
        var machine = InboxMachine(node: self.node, homes: self.homes.count, limits: self.limits, now: BusClock.now())
        var nextSweep = BusClock.now() + .minutes(1)
        while true {
            // Silence of a tail has to be noticed too, so no wait is longer than a quarter of a second.
            let deadline = min(machine.nextDeadline, BusClock.now() + .milliseconds(250))
            guard let items = self.queue.drain(until: deadline) else { return }
            for item in items { self.handle(item, &machine) }
            self.tellMarks(items, machine)
            let now = BusClock.now()
            self.perform(machine.expire(at: now))
            for (home, sequence) in machine.dueProbes(at: now) {
                self.outbox.probe(self.homes[home], sequence: sequence)
            }
            for home in machine.silentHomes(at: now) {
                self.logger.warning(
                    "a tail is silent; opening it again", metadata: ["home": "\(self.homes[home].shard)"])
                self.tails[home].reopen()
            }
            guard now >= nextSweep else { continue }
            nextSweep = now + .minutes(1)
            for sender in machine.silentSenders(at: now) where self.directory.record(of: sender) == nil {
                machine.forget(sender)
            }
        }
    }

    private func handle(_ item: InboxQueue.Item, _ machine: inout InboxMachine) {
        self.metrics.envelopesIn.increment()
        switch item.envelope {
        case .failure(let error): self.refuse(error)
        case .success(let envelope):
            self.metrics.bytesIn.increment(by: envelope.batch.readableBytes)
            self.perform(machine.receive(envelope, home: item.home, now: BusClock.now()))
        }
    }

    /// What senders say of this node's envelopes, and what this node may say of theirs (SPEC ND-7).
    private func tellMarks(_ items: [InboxQueue.Item], _ machine: InboxMachine) {
        var marks: [NodeID: BusOutbox.Marks] = [:]
        for item in items {
            guard case .success(let envelope) = item.envelope, let sender = NodeID(envelope.from), sender != self.node,
                envelope.to == self.nodeText
            else { continue }
            marks[sender, default: .init()].bytes += envelope.batch.readableBytes + 128
            marks[sender, default: .init()].read = max(marks[sender]?.read ?? 0, envelope.readMark)
        }
        for sender in marks.keys { marks[sender]?.received = machine.readMark(of: sender) }
        if !marks.isEmpty { self.outbox.note(marks) }
    }

    private func perform(_ actions: [InboxMachine.Action]) {
        for action in actions {
            switch action {
            case .deliver(let sender, let batch, let scope): self.deliver(batch, from: sender, scope: scope)
            case .hole(let sender, let missing): self.report(missing, of: sender)
            case .probed(let home, let latency): self.note(latency, home: home)
            case .drop(let refusal): self.metrics.refused(refusal)
            }
        }
    }

    private func deliver(_ batch: ByteBuffer, from sender: NodeID, scope: InboxMachine.Scope) {
        var decoded: MessageBatch.Decoded
        do throws(EnvelopeError) {
            decoded = try MessageBatch.decode(batch, self.formats)
        } catch {
            return self.refuse(error)
        }
        self.metrics.unknownKind.increment(by: decoded.unknownKinds)
        if scope != .all {
            let count = decoded.messages.count
            if let tracer = self.tracer {
                for message in decoded.messages where !scope.admits(message.kind) {
                    guard let event = EventConfirmation.trace(of: message) else { continue }
                    tracer.note(event, .dropped(scope == .late ? "came after its place was given up" : "too old"))
                }
            }
            decoded.messages.removeAll { !scope.admits($0.kind) }
            self.metrics.keptOut(count - decoded.messages.count, scope: scope)
        }
        guard !decoded.messages.isEmpty else { return }
        self.metrics.messagesIn.increment(by: decoded.messages.count)
        self.receiver.receive(decoded.messages, from: sender)
    }

    /// OP-4: counted and skipped; an unknown version by name (ND-6).
    private func refuse(_ error: EnvelopeError) {
        guard case .unknownVersion(let format) = error else {
            self.metrics.malformed.increment()
            return self.logger.warning("an envelope was refused", metadata: ["error": "\(error)"])
        }
        self.metrics.unknownFormat.increment()
        self.logger.error(
            "an envelope was refused", metadata: ["error": "\(self.formats.refusal(of: Int64(format)))"])
    }

    /// ND-8, ND-9: what a live sender sent and this node missed is a gap; a claimed one's calls cannot have returned.
    private func report(_ missing: ClosedRange<Int64>, of sender: NodeID) {
        let count = missing.upperBound - missing.lowerBound + 1
        if let record = self.directory.record(of: sender), record.state >= .claimed {
            self.metrics.deadHoles.increment()
            return self.logger.info(
                "envelopes of a dead node are missing", metadata: ["peer": "\(sender)", "count": "\(count)"])
        }
        self.metrics.gaps.increment()
        self.state.withLock { $0.gaps += 1 }
        self.logger.error("envelopes are missing: a gap", metadata: ["peer": "\(sender)", "count": "\(count)"])
        self.receiver.gap("\(count) envelopes from \(sender) are missing")
    }

    private func note(_ latency: TimeAmount, home: Int) {
        let now = BusClock.now()
        self.metrics.latency[home].recordNanoseconds(latency.nanoseconds)
        let waiters = self.state.withLock { state -> [CheckedContinuation<Bool, Never>] in
            state.probes[home] = Probe(received: now, latency: latency)
            guard state.isComplete else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }
}

extension BusInbox.State {
    fileprivate var isComplete: Bool { self.probes.allSatisfy { $0.received != nil } }
}

extension TimeAmount {
    fileprivate var seconds: Double { Double(self.nanoseconds) / 1e9 }
}
