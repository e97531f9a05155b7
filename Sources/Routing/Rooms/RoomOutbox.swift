import Metrics
import NIOCore
import Synchronization
import Wire

/// Messages about rooms on their way to other nodes, in order. All that wait when a round begins share one reading of the
/// nodes: an operation reaches every node that was registered when it was handed in (SPEC ND-6, `*`).
final class RoomOutbox: Sendable {
    struct Limits: Sendable {
        var messages = 100_000
        /// 64 MiB.
        var bytes = 64 << 20
    }

    enum Audience: Sendable {
        case everyone
        case node(NodeID)
    }

    struct Item: Sendable {
        let message: BusMessage
        let audience: Audience
        /// The nodes that it is about to be sent to.
        var addressed: (@Sendable ([NodeID]) -> Void)?
        /// Called for each node, once its inbox has the message or never will.
        var published: (@Sendable (NodeID, PublishError?) -> Void)?
        /// Called once, when all nodes have been tried.
        var completion: (@Sendable (_ nodes: Int, _ isComplete: Bool) -> Void)?
    }

    private struct State {
        var waiting: [Item] = []
        var bytes = 0
        var isClosed = false
    }

    private let node: NodeID
    private let remote: RoomDispatcher.Remote
    private let limits: Limits
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let refused = Counter(label: "submergence_rooms_messages_refused_total")
    private let failedReads = Counter(label: "submergence_rooms_node_reads_failed_total")

    init(node: NodeID, remote: RoomDispatcher.Remote, limits: Limits = Limits()) {
        self.node = node
        self.remote = remote
        self.limits = limits
        (self.wakes, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func add(_ item: Item) {
        let bytes = item.message.payload.readableBytes
        let isTaken = self.state.withLock { state in
            guard !state.isClosed, state.waiting.count < self.limits.messages,
                state.bytes + bytes <= self.limits.bytes
            else { return false }
            state.waiting.append(item)
            state.bytes += bytes
            return true
        }
        if isTaken {
            self.wake.yield()
        } else {
            self.refused.increment()
            self.giveUp(item)
        }
    }

    /// Sends until the task is cancelled; what waits then is given up.
    func run() async {
        for await _ in self.wakes {
            while let round = self.take() { await self.send(round) }
        }
        let left = self.state.withLock { state in
            defer { state.waiting = [] }
            state.isClosed = true
            return state.waiting
        }
        for item in left { self.giveUp(item) }
    }

    private func giveUp(_ item: Item) {
        item.addressed?([])
        item.completion?(0, false)
    }

    private func take() -> [Item]? {
        self.state.withLock { state in
            guard !state.waiting.isEmpty else { return nil }
            defer {
                state.waiting = []
                state.bytes = 0
            }
            return state.waiting
        }
    }

    private func send(_ round: [Item]) async {
        var everyone: [NodeRecord] = []
        var isComplete = true
        let needsNodes = round.contains { if case .everyone = $0.audience { true } else { false } }
        if needsNodes {
            do {
                everyone = try await self.remote.freshNodes().filter { $0.id != self.node }
            } catch {
                // The directory is at most a few seconds old (ND-2): whoever it names gets it, and the receipt says the rest.
                self.failedReads.increment()
                isComplete = false
                everyone = self.remote.knownNodes().filter { $0.id != self.node }
            }
        }
        for item in round {
            switch item.audience {
            case .everyone: self.publish(item, to: everyone, isComplete: isComplete)
            case .node(let id):
                var record = self.remote.directory.record(of: id)
                if record == nil { record = await self.remote.directory.resolve(id) }
                self.publish(item, to: record.map { [$0] } ?? [], isComplete: record != nil)
            }
        }
    }

    private func publish(_ item: Item, to targets: [NodeRecord], isComplete: Bool) {
        item.addressed?(targets.map(\.id))
        guard !targets.isEmpty else {
            item.completion?(0, isComplete)
            return
        }
        let completion = item.completion
        let published = item.published
        let tally = Tally(missing: targets.count)
        for target in targets {
            self.remote.adapter.publish(item.message, to: target) { error in
                published?(target.id, error)
                guard let stored = tally.report(error == nil) else { return }
                completion?(stored, isComplete && stored == targets.count)
            }
        }
    }

    private final class Tally: Sendable {
        private let state: Mutex<(missing: Int, stored: Int)>

        init(missing: Int) {
            self.state = Mutex((missing, 0))
        }

        /// - Returns: how many have it, with the last report.
        func report(_ isStored: Bool) -> Int? {
            self.state.withLock { state in
                state.missing -= 1
                if isStored { state.stored += 1 }
                return state.missing == 0 ? state.stored : nil
            }
        }
    }
}
