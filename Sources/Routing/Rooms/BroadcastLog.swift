import Metrics
import Synchronization
import Wire

/// Logs broadcasts to `/` before anybody is given them, and keeps the operations of a domain in the order in which they
/// were handed in (SOCKETIO §14.2). Whatever waits while an append is under way shares the next one.
final class BroadcastLog: Sendable {
    struct Limits: Sendable {
        /// Operations that may wait, over all domains.
        var operations = 100_000
        /// Bytes that their packets hold, 64 MiB.
        var bytes = 64 << 20
        /// Operations of one append.
        var batch = 2_000
    }

    /// - Parameter mark: nil for one that overtakes others.
    typealias Delivery = @Sendable (_ mark: RecoveryMark?, _ isLogged: Bool) -> Void

    private enum Step {
        case broadcast(RecoveryEntry, Delivery)
        /// What is not logged, behind what is.
        case other(@Sendable () -> Void)

        var byteCount: Int {
            if case .broadcast(let entry, _) = self { entry.byteCount } else { 0 }
        }
    }

    private struct State {
        /// What waits, by domain; there while something of the domain waits or is under way.
        var queues: [String: [Step]] = [:]
        /// Domains in which something waits and nothing is under way.
        var ready: [String] = []
        var count = 0
        var bytes = 0
        var isClosed = false
    }

    private let sending: RecoverySending
    private let appender: RecoveryAppender
    private let limits: Limits
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let refused = Counter(label: "submergence_recovery_broadcasts_refused_total")

    init(node: NodeID, sending: RecoverySending, limits: Limits = Limits()) {
        self.sending = sending
        self.appender = RecoveryAppender(node: node, sending: sending, kind: .broadcast)
        self.limits = limits
        (self.wakes, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// - Parameter delivery: called once, when it is in the log, or is known not to be there for certain.
    func add(_ packet: OutboundPacket, _ target: RoomTarget, domain: String, _ delivery: @escaping Delivery) {
        // Numbered while the queue is locked: numbers rise in the order of the queue.
        let missed = self.state.withLock { state -> RecoveryEntry? in
            let (mark, time) = self.appender.next()
            let entry = RecoveryEntry(
                key: RecoveryEntry.scopeKey(of: domain), mark: mark, version: 0, time: time, content: .event(packet),
                target: target)
            let bytes = entry.byteCount
            guard !state.isClosed, state.count < self.limits.operations, state.bytes + bytes <= self.limits.bytes else {
                return entry
            }
            Self.enqueue(.broadcast(entry, delivery), domain, &state)
            return nil
        }
        guard let missed else {
            self.wake.yield()
            return
        }
        self.refused.increment()
        self.appender.miss(missed, at: self.sending.log.scopePlace(of: domain))
        // Without its mark, as it overtakes those that wait: they would count as given.
        delivery(nil, false)
    }

    /// Runs `body` behind what was handed in for the domain before: at once where nothing is under way.
    func follow(_ domain: String, _ body: @escaping @Sendable () -> Void) {
        let isQueued = self.state.withLock { state -> Bool in
            guard !state.isClosed, state.queues[domain] != nil, state.count < self.limits.operations else {
                return false
            }
            Self.enqueue(.other(body), domain, &state)
            return true
        }
        if isQueued { self.wake.yield() } else { body() }
    }

    /// Logs until the task is cancelled; what waits then is delivered all the same.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.appender.run() }
            for await _ in self.wakes {
                while let (domain, steps) = self.take() {
                    group.addTask {
                        await self.perform(steps, domain)
                        self.finish(domain)
                    }
                }
            }
            let left = self.state.withLock { state -> [Step] in
                defer { (state.queues, state.ready, state.count, state.bytes) = ([:], [], 0, 0) }
                state.isClosed = true
                return state.queues.values.flatMap(\.self)
            }
            self.deliver(left, isLogged: false)
        }
    }

    private func perform(_ steps: [Step], _ domain: String) async {
        let entries = steps.compactMap { step -> RecoveryEntry? in
            if case .broadcast(let entry, _) = step { entry } else { nil }
        }
        var isLogged = true
        if !entries.isEmpty {
            isLogged = await self.appender.append(entries, to: self.sending.log.scopePlace(of: domain))
        }
        self.deliver(steps, isLogged: isLogged)
    }

    private func deliver(_ steps: [Step], isLogged: Bool) {
        for step in steps {
            switch step {
            case .broadcast(let entry, let delivery): delivery(entry.mark, isLogged)
            case .other(let body): body()
            }
        }
    }

    private func take() -> (domain: String, steps: [Step])? {
        self.state.withLock { state in
            guard let domain = state.ready.popLast(), let waiting = state.queues[domain] else { return nil }
            let steps = Array(waiting.prefix(self.limits.batch))
            state.queues[domain]?.removeFirst(steps.count)
            state.count -= steps.count
            state.bytes -= steps.reduce(0) { $0 + $1.byteCount }
            return (domain, steps)
        }
    }

    private func finish(_ domain: String) {
        self.state.withLock { state in
            guard let waiting = state.queues[domain] else { return }
            if waiting.isEmpty {
                state.queues[domain] = nil
            } else {
                state.ready.append(domain)
            }
        }
        self.wake.yield()
    }

    private static func enqueue(_ step: Step, _ domain: String, _ state: inout State) {
        state.count += 1
        state.bytes += step.byteCount
        if state.queues[domain] == nil { state.ready.append(domain) }
        state.queues[domain, default: []].append(step)
    }
}
