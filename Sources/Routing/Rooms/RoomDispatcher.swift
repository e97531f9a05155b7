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
    let joinsRefused = Counter(label: "submergence_rooms_joins_refused_total")
    let repliesRefused = Counter(label: "submergence_rooms_replies_refused_total")

    /// - Parameter remote: nil for a node that is alone by construction.
    package init(
        node: NodeID, index: RoomIndex, ackIDs: AckIDs, remote: Remote?, requests: ClusterRequests = ClusterRequests(),
        serverSide: @escaping ServerSideHandler
    ) {
        self.node = node
        self.index = index
        self.ackIDs = ackIDs
        self.remote = remote
        self.requests = requests
        self.outbox = remote.map { RoomOutbox(node: node, remote: $0) }
        self.serverSide = serverSide
    }

    /// Sends to other nodes until the task is cancelled.
    package func run() async { await self.outbox?.run() }

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
        self.perform(
            .emit(packet: packet.text, attachments: packet.attachments, delivery), on: target, in: scope,
            isLocal: isLocal, completion: completion
        ) { self.emitHere(packet, to: target, in: scope, delivery, completion: $0) }
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
        completion: (@Sendable (RoomReceipt) -> Void)?, here: (@escaping @Sendable (Int) -> Void) -> Void
    ) {
        guard !isLocal, let outbox = self.outbox else {
            return here { completion?(RoomReceipt(local: $0, nodes: 0, isComplete: true)) }
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
        item.completion = { nodes, isComplete in both?.report(nodes: nodes, isComplete: isComplete) }
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
