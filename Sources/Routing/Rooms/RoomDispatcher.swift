import Metrics
package import NIOCore
package import Wire

/// Operations on the sockets of a namespace, on this node and all others (SOCKETIO §12, §13): own sockets at once, the
/// others by one bus message for each node.
///
/// Serves one incarnation of the node. Callable from any thread; nothing blocks.
package final class RoomDispatcher: Sendable {
    /// What it takes to reach other nodes.
    package struct Remote: Sendable {
        package var adapter: any ClusterAdapter
        package var directory: any NodeDirectory
        /// All nodes that may have sockets, read for this call.
        package var freshNodes: @Sendable () async throws(StoreError) -> [NodeRecord]
        /// The same from the newest reading.
        package var knownNodes: @Sendable () -> [NodeRecord]

        package init(
            adapter: any ClusterAdapter, directory: any NodeDirectory,
            freshNodes: @escaping @Sendable () async throws(StoreError) -> [NodeRecord],
            knownNodes: @escaping @Sendable () -> [NodeRecord]
        ) {
            self.adapter = adapter
            self.directory = directory
            self.freshNodes = freshNodes
            self.knownNodes = knownNodes
        }
    }

    /// Runs the application's server-side handlers of a name on this node.
    /// - Parameter answer: gets the first answer of a handler; nil where nobody gives one. Called once.
    package typealias ServerSideHandler =
        @Sendable (
            _ scope: RoomScope, _ name: String, _ arguments: ByteBuffer,
            _ answer: @escaping @Sendable (ByteBuffer?) -> Void
        ) -> Void

    let node: NodeID
    let index: RoomIndex
    let outbox: RoomOutbox?
    private let remote: Remote?
    let requests: ClusterRequests
    let ackIDs: AckIDs
    let serverSide: ServerSideHandler
    /// nil while connection state recovery is off.
    private let log: BroadcastLog?
    let joinsRefused = Counter(label: "submergence_rooms_joins_refused_total")
    let repliesRefused = Counter(label: "submergence_rooms_replies_refused_total")

    /// - Parameters:
    ///   - remote: nil for a node that is alone by construction.
    ///   - recovery: nil while connection state recovery is off.
    package init(
        node: NodeID, index: RoomIndex, ackIDs: AckIDs, remote: Remote?, recovery: RecoverySending? = nil,
        requests: ClusterRequests = ClusterRequests(), serverSide: @escaping ServerSideHandler
    ) {
        self.node = node
        self.index = index
        self.ackIDs = ackIDs
        self.remote = remote
        self.requests = requests
        self.outbox = remote.map { RoomOutbox(node: node, remote: $0) }
        self.serverSide = serverSide
        self.log = recovery.map { BroadcastLog(node: node, sending: $0) }
    }

    /// Logs, and sends to other nodes, until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            if let outbox = self.outbox { group.addTask { await outbox.run() } }
            if let log = self.log { group.addTask { await log.run() } }
        }
    }

    /// Where broadcasts of a scope are logged, its operations wait for each other, so that those of one caller keep their
    /// order; everywhere else `body` runs at once.
    package func inOrder(_ scope: RoomScope, _ body: @escaping @Sendable () -> Void) {
        guard let log = self.log, scope.isRecoverable else { return body() }
        log.follow(scope.domain, body)
    }

    /// Requests stop waiting for nodes that are dead or gone. Call every few hundred milliseconds.
    package func reconcile() {
        guard let remote = self.remote else { return }
        let awaited = self.requests.awaited
        guard !awaited.isEmpty else { return }
        let alive = Set(remote.knownNodes().map(\.id))
        for node in awaited where !alive.contains(node) { self.requests.depart(node) }
    }

    // MARK: One-way operations

    /// - Parameters:
    ///   - packet: carries the namespace already, and no ack id.
    ///   - isLocal: other nodes are left out.
    ///   - completion: called once, on any thread; keep it short.
    package func emit(
        _ packet: OutboundPacket, to target: RoomTarget, in scope: RoomScope, delivery: Delivery = .required,
        isLocal: Bool = false, completion: (@Sendable (RoomReceipt) -> Void)? = nil
    ) {
        guard let log = self.log, scope.isRecoverable, delivery == .required, !isLocal, packet.takesOffset else {
            return self.perform(
                .emit(packet: packet.text, attachments: packet.attachments, delivery), on: target, in: scope,
                isLocal: isLocal, completion: completion
            ) { self.emitHere(packet, to: target, in: scope, delivery, completion: $0) }
        }
        log.add(packet, target, domain: scope.domain) { mark, isLogged in
            // Marked also where it is not in the log: who gets it now has passed the hole.
            let operation: RoomMessage.Operation =
                if let mark {
                    .logged(packet: packet.text, attachments: packet.attachments, number: mark.number)
                } else {
                    .emit(packet: packet.text, attachments: packet.attachments, delivery)
                }
            self.send(
                operation, on: target, in: scope, isLocal: false, isComplete: isLogged, completion: completion
            ) { self.emitHere(packet, to: target, in: scope, delivery, mark: mark, completion: $0) }
        }
    }

    package func join(
        _ rooms: [String], _ target: RoomTarget, in scope: RoomScope, isLocal: Bool = false,
        completion: (@Sendable (RoomReceipt) -> Void)? = nil
    ) {
        self.perform(.join(rooms), on: target, in: scope, isLocal: isLocal, completion: completion) {
            self.joinHere(rooms, target, in: scope, completion: $0)
        }
    }

    package func leave(
        _ rooms: [String], _ target: RoomTarget, in scope: RoomScope, isLocal: Bool = false,
        completion: (@Sendable (RoomReceipt) -> Void)? = nil
    ) {
        self.perform(.leave(rooms), on: target, in: scope, isLocal: isLocal, completion: completion) {
            self.leaveHere(rooms, target, in: scope, completion: $0)
        }
    }

    package func disconnect(
        _ target: RoomTarget, closes: Bool, in scope: RoomScope, isLocal: Bool = false,
        completion: (@Sendable (RoomReceipt) -> Void)? = nil
    ) {
        self.perform(.disconnect(closes: closes), on: target, in: scope, isLocal: isLocal, completion: completion) {
            self.disconnectHere(target, closes: closes, in: scope, completion: $0)
        }
    }

    /// An event to all *other* nodes (SOCKETIO §13).
    package func emitServerSide(
        _ name: String, _ arguments: ByteBuffer, in scope: RoomScope,
        completion: (@Sendable (RoomReceipt) -> Void)? = nil
    ) {
        self.perform(
            .serverSide(name: name, arguments: arguments), on: RoomTarget(), in: scope, isLocal: false,
            completion: completion
        ) { $0(0) }
    }

    private func perform(
        _ operation: RoomMessage.Operation, on target: RoomTarget, in scope: RoomScope, isLocal: Bool,
        completion: (@Sendable (RoomReceipt) -> Void)?,
        here: @escaping @Sendable (@escaping @Sendable (Int) -> Void) -> Void
    ) {
        self.inOrder(scope) {
            self.send(
                operation, on: target, in: scope, isLocal: isLocal, isComplete: true, completion: completion, here: here
            )
        }
    }

    /// - Parameter isComplete: false where the receipt is not to be a positive one, whatever becomes of this.
    private func send(
        _ operation: RoomMessage.Operation, on target: RoomTarget, in scope: RoomScope, isLocal: Bool,
        isComplete: Bool, completion: (@Sendable (RoomReceipt) -> Void)?,
        here: (@escaping @Sendable (Int) -> Void) -> Void
    ) {
        guard !isLocal, let outbox = self.outbox else {
            return here { completion?(RoomReceipt(local: $0, nodes: 0, isComplete: isComplete)) }
        }
        let message: BusMessage
        do {
            message = try self.message(operation, target, scope, request: 0)
        } catch {
            // More than the bus takes: who is here gets it all the same, and the receipt says the rest.
            return here { completion?(RoomReceipt(local: $0, nodes: 0, isComplete: false)) }
        }
        let both = completion.map { ReceiptParts($0) }
        var item = RoomOutbox.Item(message: message, audience: .everyone)
        item.completion = { nodes, isPublished in both?.report(nodes: nodes, isComplete: isComplete && isPublished) }
        outbox.add(item)
        here { both?.report(local: $0) }
    }

    func message(
        _ operation: RoomMessage.Operation, _ target: RoomTarget, _ scope: RoomScope, request: UInt64
    ) throws(EnvelopeError) -> BusMessage {
        let payload = try RoomMessage(
            request: request, domain: scope.domain, namespace: scope.namespace, rooms: target.rooms,
            except: target.except, operation: operation
        ).encode()
        return BusMessage(kind: .room, key: "", payload: payload)
    }
}
