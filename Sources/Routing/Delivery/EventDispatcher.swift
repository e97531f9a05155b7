import Metrics
import NIOCore
import Synchronization
package import Wire

/// Sends events by identity: own sockets at once, other nodes by one bus message each (SPEC EV-1, DESIGN §3 "Send").
///
/// With connection state recovery on, what somebody may come back for is logged before anybody gets it
/// (``EventDispatcher+Recovery``).
///
/// Serves one incarnation of the node. ``send(_:to:client:socket:mode:completion:)`` may be called from any thread and never blocks.
package final class EventDispatcher: Sendable {
    package struct Limits: Sendable {
        /// Sends per shard that may wait for their route read; beyond it the receipt says incomplete.
        package var waitingSends = 100_000
        /// Bytes that they may hold, 64 MiB.
        package var waitingBytes = 64 << 20
        /// Route reads in flight per shard.
        package var readsInFlight = 4
        /// Keys per route read.
        package var keysPerRead = 500

        package init() {}
    }

    private let node: NodeID
    let index: ConnectionIndex
    private let remote: Remote?
    /// nil while recovery is off.
    private let appender: RecoveryAppender?
    private let limits: Limits
    private let requests: ClusterRequests
    private let tracer: Tracer?
    private let ledger: PostingLedger
    private let lanes: [Lane]
    private let refused = Counter(label: "submergence_send_refused_total")
    let failedReads = Counter(label: "submergence_send_route_reads_failed_total")

    /// What it takes to reach other nodes.
    package struct Remote: Sendable {
        package var routes: any RouteStore
        package var adapter: any ClusterAdapter
        package var directory: any NodeDirectory

        package init(routes: any RouteStore, adapter: any ClusterAdapter, directory: any NodeDirectory) {
            self.routes = routes
            self.adapter = adapter
            self.directory = directory
        }
    }

    typealias Round = [(key: RouteKey, sends: [PendingSend])]

    /// The sends of one shard (ND-14: a hung shard stalls its own users only).
    final class Lane: Sendable {
        let shard: Int
        let queue: Mutex<(sends: RouteReadQueue<PendingSend>, inFlight: Int, isClosed: Bool)>
        let wakes: AsyncStream<Void>
        private let wake: AsyncStream<Void>.Continuation

        init(shard: Int, limits: Limits) {
            self.shard = shard
            let sends = RouteReadQueue<PendingSend>(
                countLimit: limits.waitingSends, byteLimit: limits.waitingBytes, batch: limits.keysPerRead)
            self.queue = Mutex((sends, 0, false))
            (self.wakes, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        }

        func signal() { self.wake.yield() }
    }

    /// - Parameters:
    ///   - remote: nil for a node that is alone by construction (in-memory stores).
    ///   - recovery: nil while recovery is off. Else there is a `remote`, as it works by the routes.
    ///   - requests: those of the rooms, too: other nodes report to both in the same way.
    ///   - tracer: nil where nothing can be traced.
    ///   - ledger: of this node: what comes from other nodes is looked up in it, too.
    package init(
        node: NodeID, index: ConnectionIndex, remote: Remote?, recovery: RecoverySending? = nil,
        limits: Limits = Limits(), requests: ClusterRequests = ClusterRequests(), tracer: Tracer? = nil,
        ledger: PostingLedger = PostingLedger()
    ) {
        precondition(recovery == nil || remote != nil, "recovery needs the routes")
        self.node = node
        self.appender = recovery.map { RecoveryAppender(node: node, sending: $0) }
        self.index = index
        self.remote = remote
        self.limits = limits
        self.requests = requests
        self.tracer = tracer
        self.ledger = ledger
        self.lanes =
            remote.map { remote in
                (0..<remote.routes.shardCount).map { Lane(shard: $0, limits: limits) }
            } ?? []
    }

    /// Whether the next send is traced, and under which name.
    /// - Parameter span: the part of the application's trace that it belongs to; one that is recorded asks for this one.
    package func beginTrace(isAsked: Bool, in span: TraceSpan? = nil) -> TracedEvent? {
        guard let tracer = self.tracer, let id = tracer.begin(isAsked: isAsked || span?.own.isSampled == true) else {
            return nil
        }
        if let parent = span?.parent { tracer.note(id, .parent(parent)) }
        return TracedEvent(id, in: span)
    }

    /// - Parameters:
    ///   - client: only connections of this client; nil for all.
    ///   - socket: only this connection; nil for all.
    ///   - mode: events that need not arrive are never logged.
    ///   - posting: for an event of the outbox: a node that has handed it out drops it, and with recovery on it is in the log
    ///     before anybody gets it, or nobody gets it and the receipt says incomplete.
    ///   - completion: called once, on any thread; keep it short.
    package func send(
        _ packet: OutboundPacket, to key: RouteKey, client: String?, socket: SocketID? = nil,
        mode: Delivery = .required, trace: TracedEvent? = nil, posting: PostingMark? = nil,
        completion: @escaping @Sendable (SendReceipt) -> Void
    ) {
        self.send(packet, to: key, client, socket, mode, nil, trace, posting, completion)
    }

    /// The same, and asks every node that has such connections what it has written to them (SPEC EV-2).
    /// - Parameters:
    ///   - timeout: for the whole call. What is not known by then is unknown, and the receipt says incomplete.
    /// - Throws: too many requests are under way.
    package func sendConfirmed(
        _ packet: OutboundPacket, to key: RouteKey, client: String?, mode: Delivery = .required,
        trace: TracedEvent? = nil, posting: PostingMark? = nil, timeout: Duration
    ) async throws(ClusterRequests.Full) -> ConfirmedReceipt {
        // The loops together are one participant, the send's own receipt is another.
        let id = try self.requests.begin(loops: 2)
        let box = ReceiptBox()
        let requests = self.requests
        self.send(packet, to: key, client, nil, mode, id, trace, posting) { receipt in
            box.set(receipt)
            requests.report(id, .loop(1), expected: 0, items: [])
        }
        let replies = await requests.wait(id, timeout: timeout)
        return ConfirmedReceipt(box.receipt, replies)
    }

    private func send(
        _ packet: OutboundPacket, to key: RouteKey, _ client: String?, _ socket: SocketID?, _ mode: Delivery,
        _ confirmation: UInt64?, _ trace: TracedEvent?, _ posting: PostingMark?,
        _ completion: @escaping @Sendable (SendReceipt) -> Void
    ) {
        let requests = self.requests
        let tracer = self.tracer
        if let trace { tracer?.note(trace.id, .accepted(to: key, client: client, bytes: packet.byteCount)) }
        var tally: WrittenTally?
        if confirmation != nil || trace != nil {
            tally = WrittenTally { devices in
                if let trace { tracer?.note(trace, written: devices) }
                guard let confirmation else { return }
                requests.report(confirmation, .loop(0), expected: devices.count, items: devices.map(\.item))
            }
        }
        guard let remote = self.remote else {
            if let confirmation { requests.ask([], confirmation) }
            let delivery = ConnectionIndex.Delivery(
                key: key, client: client, socket: socket, packet: packet, mode: mode, tally: tally)
            return self.index.deliver(delivery) { count in
                completion(SendReceipt(local: count, nodes: 0, isComplete: true))
            }
        }
        let send = PendingSend(
            packet: packet, client: client, socket: socket, mode: mode, parts: 2, confirmation: confirmation,
            trace: trace, posting: posting, tally: tally, completion: completion)
        let lane = self.lanes[remote.routes.shard(of: key)]
        // Before the local delivery, whose completion may send again: one caller's sends keep their order.
        let isTaken = lane.queue.withLock {
            $0.isClosed ? false : $0.sends.add(send, to: key, bytes: packet.byteCount)
        }
        // With recovery on nobody gets it before it is logged: the round delivers here as well.
        if self.appender != nil, isTaken { return lane.signal() }
        // What may be repeated is not given to anybody past the log.
        if self.appender != nil, posting != nil { send.skip() } else { self.deliverHere(send, key) }
        if isTaken {
            lane.signal()
        } else {
            self.refused.increment()
            if posting == nil { self.appender?.doubt() }
            self.ask([], send)
            self.note(send, .dropped("too many sends wait for their routes"))
            send.report(isComplete: false)
        }
    }

    /// Hands it to its connections on this node, unless it is from the outbox and they have it.
    func deliverHere(_ send: PendingSend, _ key: RouteKey, mark: RecoveryMark? = nil) {
        if let posting = send.posting, !self.ledger.admit(posting) { return send.skip() }
        self.index.deliver(send.delivery(to: key, mark: mark)) { send.delivered($0) }
    }

    /// Writes down what becomes of a send that is traced.
    func note(_ send: PendingSend, _ hop: @autoclosure () -> TraceHop) {
        if let trace = send.trace { self.tracer?.note(trace.id, hop()) }
    }

    /// The nodes that are to say what they have written of it: once for each send, before any of them can.
    func ask(_ targets: [NodeID], _ send: PendingSend) {
        if let confirmation = send.confirmation { self.requests.ask(targets, confirmation) }
    }

    /// Runs `body` behind the sends to a user that were handed in before and wait for the log: behind their delivery to
    /// connections of this node. At once where recovery is off, or none is under way.
    package func follow(_ key: RouteKey, _ body: @escaping @Sendable () -> Void) {
        guard self.appender != nil, let remote = self.remote else { return body() }
        let lane = self.lanes[remote.routes.shard(of: key)]
        guard let last = lane.queue.withLock({ $0.sends.last(to: key) }) else { return body() }
        last.follow(body)
    }

    var isRecoverable: Bool { self.appender != nil }

    /// Reads routes and publishes until the task is cancelled; sends that wait then complete as incomplete.
    package func run() async {
        guard let remote = self.remote else { return }
        await withDiscardingTaskGroup { group in
            for lane in self.lanes {
                group.addTask { await self.serve(lane, remote) }
            }
            if let appender = self.appender { group.addTask { await appender.run() } }
        }
    }

    private func serve(_ lane: Lane, _ remote: Remote) async {
        await withDiscardingTaskGroup { group in
            for await _ in lane.wakes {
                while let round = self.take(from: lane) {
                    group.addTask {
                        if let appender = self.appender {
                            await self.perform(round, lane, remote, appender)
                        } else {
                            await self.perform(round, lane, remote)
                        }
                        lane.queue.withLock { queue in
                            queue.inFlight -= 1
                            queue.sends.finish(round.lazy.map(\.key))
                        }
                        lane.signal()
                    }
                }
            }
            let left = lane.queue.withLock { queue in
                queue.isClosed = true
                return queue.sends.drain()
            }
            for send in left { self.giveUp(send) }
        }
    }

    private func take(from lane: Lane) -> Round? {
        lane.queue.withLock { queue in
            guard queue.inFlight < self.limits.readsInFlight, let round = queue.sends.next() else { return nil }
            queue.inFlight += 1
            return round
        }
    }

    /// The reading that a round begins with.
    func read(_ round: Round, _ lane: Lane, _ remote: Remote) async throws(StoreError) -> [RouteKey: RouteDocument] {
        defer {
            lane.queue.withLock { $0.sends.read(round.count) }
            lane.signal()
        }
        return try await remote.routes.read(round.map(\.key), shard: lane.shard)
    }

    private func perform(_ round: Round, _ lane: Lane, _ remote: Remote) async {
        let documents: [RouteKey: RouteDocument]
        do {
            documents = try await self.read(round, lane, remote)
        } catch {
            self.failedReads.increment()
            for (_, sends) in round {
                for send in sends {
                    self.ask([], send)
                    self.note(send, .routesUnread)
                    send.report(isComplete: false)
                }
            }
            return
        }
        for (key, sends) in round {
            guard let document = documents[key] else {
                for send in sends {
                    self.ask([], send)
                    self.note(send, .routes(connections: 0, nodes: []))
                    send.report()
                }
                continue
            }
            for send in sends { await self.publish(send, document, remote) }
        }
    }

    func publish(
        _ send: PendingSend, _ document: RouteDocument, _ remote: Remote, mark: RecoveryMark? = nil
    ) async {
        var targets: [NodeRecord] = []
        var unresolved: [NodeID] = []
        for connection in document.live
        where connection.node != self.node && send.matches(connection)
            && !targets.contains(where: { $0.id == connection.node })
        {
            var record = remote.directory.record(of: connection.node)
            if record == nil { record = await remote.directory.resolve(connection.node) }
            // A claimed node's entries are on their way out (ND-4): nobody is there to get it.
            if let record, record.state < .claimed { targets.append(record) }
            if record == nil, !unresolved.contains(connection.node) { unresolved.append(connection.node) }
        }
        self.ask(targets.map(\.id) + unresolved, send)
        self.note(
            send,
            .routes(connections: document.live.count(where: send.matches), nodes: (targets.map(\.label))))
        // Gone, or not to be read: it cannot be told.
        for node in unresolved {
            self.missed(node, send)
            self.note(send, .unsent(for: node.text, reason: "the node is not known"))
        }
        guard !targets.isEmpty else { return send.report() }
        let payload: ByteBuffer
        do {
            payload = try EventPayload(
                client: send.client, socket: send.socket?.text, number: send.posting == nil ? mark?.number : nil,
                mode: send.mode,
                packet: send.packet.text, attachments: send.packet.attachments
            ).encode()
        } catch {
            // More than an envelope takes: refused before it is queued (ND-6).
            for target in targets {
                self.missed(target.id, send)
                self.note(send, .unsent(for: target.label, reason: "too large"))
            }
            return send.report(isComplete: false)
        }
        var posting = send.posting
        posting?.isLogged = mark != nil
        let message = BusMessage(
            kind: .event, key: document.key.text, payload: payload,
            source: EventConfirmation.source(send.confirmation, trace: send.trace, posting: posting))
        send.expect(targets.count)
        for target in targets {
            remote.adapter.publish(message, to: target) { error in
                if let error {
                    self.missed(target.id, send)
                    self.note(send, .unsent(for: target.label, reason: "\(error)"))
                }
                send.report(nodes: error == nil ? 1 : 0, isComplete: error == nil)
            }
        }
        send.report()
    }

    /// The node was not reached: it has nothing to say.
    private func missed(_ target: NodeID, _ send: PendingSend) {
        if let confirmation = send.confirmation { self.requests.depart(target, from: confirmation) }
    }
}
