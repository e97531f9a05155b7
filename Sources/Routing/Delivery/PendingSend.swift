import Synchronization
import Wire

/// One send on its way: gathers what its parts report, and completes once, with the last of them.
final class PendingSend: Sendable {
    let packet: OutboundPacket
    let client: String?
    let socket: SocketID?
    let mode: Delivery
    /// Who is to say what was written; nil: nobody.
    let confirmation: UInt64?
    /// nil: its way is not written down.
    let trace: TracedEvent?
    /// nil for a send that is not from the outbox.
    let posting: PostingMark?
    private let tally: WrittenTally?
    private let state: Mutex<State>
    private let completion: @Sendable (SendReceipt) -> Void

    private struct State {
        /// Parts that have not reported: the local delivery, the route read, each publish.
        var missing: Int
        var receipt: SendReceipt
        var isDelivered = false
        /// What waits for the delivery here.
        var followers: [@Sendable () -> Void] = []
    }

    init(
        packet: OutboundPacket, client: String?, socket: SocketID?, mode: Delivery, parts: Int,
        confirmation: UInt64? = nil, trace: TracedEvent? = nil, posting: PostingMark? = nil, tally: WrittenTally? = nil,
        completion: @escaping @Sendable (SendReceipt) -> Void
    ) {
        self.packet = packet
        self.client = client
        self.socket = socket
        self.mode = mode
        self.confirmation = confirmation
        self.trace = trace
        self.posting = posting
        self.tally = tally
        self.state = Mutex(State(missing: parts, receipt: SendReceipt(local: 0, nodes: 0, isComplete: true)))
        self.completion = completion
    }

    /// More parts will report. Call before the part that finds them reports itself.
    func expect(_ parts: Int) {
        self.state.withLock { $0.missing += parts }
    }

    func matches(_ connection: RouteDocument.Connection) -> Bool {
        (self.client == nil || self.client == connection.client)
            && (self.socket == nil || self.socket == connection.socket)
    }

    func matches(_ away: RouteDocument.Away) -> Bool {
        (self.client == nil || self.client == away.client) && (self.socket == nil || self.socket == away.socket)
    }

    func delivery(to key: RouteKey, mark: RecoveryMark? = nil) -> ConnectionIndex.Delivery {
        ConnectionIndex.Delivery(
            key: key, client: self.client, socket: self.socket, packet: self.packet, mark: mark, mode: self.mode,
            tally: self.tally)
    }

    /// Its connections on this node have it, or there are none: the local part reports.
    func delivered(_ count: Int) {
        let followers = self.state.withLock { state in
            state.isDelivered = true
            defer { state.followers = [] }
            return state.followers
        }
        for follower in followers { follower() }
        self.report(local: count)
    }

    /// Its connections on this node are not given it, and whoever wants to know is told so.
    func skip() {
        self.tally?.expect(0)
        self.delivered(0)
    }

    /// Runs `body` once the connections on this node have it: at once, where they do.
    func follow(_ body: @escaping @Sendable () -> Void) {
        let isDelivered = self.state.withLock { state in
            if !state.isDelivered { state.followers.append(body) }
            return state.isDelivered
        }
        if isDelivered { body() }
    }

    func report(local: Int = 0, nodes: Int = 0, stored: Bool = false, isComplete: Bool = true) {
        let receipt: SendReceipt? = self.state.withLock { state in
            state.receipt.local += local
            state.receipt.nodes += nodes
            state.receipt.stored = state.receipt.stored || stored
            state.receipt.isComplete = state.receipt.isComplete && isComplete
            state.missing -= 1
            return state.missing == 0 ? state.receipt : nil
        }
        if let receipt { self.completion(receipt) }
    }
}
