import Logging
import NIOCore
import Routing
import Synchronization
import Wire

/// This process as a member of the cluster, for one incarnation: its lease and routes, its way to the other nodes, its
/// events (SPEC ND-2, ND-3). Isolation ends it, and the station makes another one.
final class ClusterNode: Sendable {
    let id: NodeID
    let index: ConnectionIndex
    let admission: ConnectAdmission
    let incarnation: Incarnation
    let adapter: any ClusterAdapter
    let dispatcher: EventDispatcher
    let rooms: RoomDispatcher
    let messenger: NodeMessenger
    /// nil in conformance mode.
    let links: LinkBroker?
    /// nil where the outbox is not served.
    let postings: PostingRunner?
    private let stalls = StallWatch()
    private let isDraining = Atomic<Bool>(false)
    private let isDegraded = Atomic<Bool>(false)

    init(
        incarnation: Incarnation, adapter: any ClusterAdapter, dispatcher: EventDispatcher, rooms: RoomDispatcher,
        index: ConnectionIndex, admission: ConnectAdmission, messenger: NodeMessenger, links: LinkBroker?,
        postings: PostingRunner?
    ) {
        self.id = incarnation.membership.own.id
        self.incarnation = incarnation
        self.adapter = adapter
        self.dispatcher = dispatcher
        self.rooms = rooms
        self.index = index
        self.admission = admission
        self.messenger = messenger
        self.links = links
        self.postings = postings
    }

    var view: any ClusterView { self.incarnation.membership }
    var committer: RouteCommitter { self.incarnation.committer }

    /// New connections may come: the lease is fresh (ND-3), the bus delivers (ND-11), nobody has said stop (ND-12).
    /// Cheap: asked for every handshake and every CONNECT.
    var mayAccept: Bool {
        self.view.standing.mayAccept && !self.isDegraded.load(ordering: .relaxed)
            && !self.isDraining.load(ordering: .relaxed)
    }

    /// Whether lease and bus are fresh enough to trust a cache, at this moment (ND-3, ND-11), and nothing was missed while the
    /// process was stopped (ID-13).
    var mayUseSessionCache: Bool {
        guard self.view.standing.mayUseSessionCache else { return false }
        let health = self.adapter.health
        return !health.isDegraded && self.stalls.isCaughtUp(health)
    }

    /// Looks at the bus for ``mayAccept``, several times a second.
    /// - Returns: whether lease and bus are fresh enough to trust a cache (ND-3, ND-11).
    func refresh() -> Bool {
        self.stalls.tick()
        let isDegraded = self.adapter.health.isDegraded
        self.isDegraded.store(isDegraded, ordering: .relaxed)
        return !isDegraded && self.view.standing.mayUseSessionCache
    }

    /// Why not, in words for operators; empty when ``mayAccept``.
    var unreadiness: [String] {
        var reasons: [String] = []
        if self.isDraining.load(ordering: .relaxed) { reasons.append("draining") }
        if !self.view.standing.mayAccept { reasons.append("lease \(self.view.standing)") }
        if self.isDegraded.load(ordering: .relaxed) { reasons.append("bus degraded: no probe for 5 s") }
        return reasons
    }

    func beginDraining() { self.isDraining.store(true, ordering: .relaxed) }

    /// An endpoint came back while its older connection was still known: that one gives way, wherever it is (LC-6).
    func supersede(_ connections: [RouteDocument.Connection], key: RouteKey) {
        for connection in connections {
            let order = Supersession(key: key, connection: connection)
            if connection.node == self.id {
                order.apply(to: self.index)
            } else {
                // Not stored: the older socket stays until its heartbeat ends it; its route entry is gone already.
                self.publish(order.message, to: connection.node)
            }
        }
    }

    /// Runs these once the Links of the user that this node is closing are closed.
    func whenLinksClosed(_ key: RouteKey, _ waiters: [@Sendable () -> Void]) {
        guard !waiters.isEmpty else { return }
        let tell: @Sendable () -> Void = { for waiter in waiters { waiter() } }
        guard let links = self.links else { return tell() }
        links.closings.whenClosed(key, tell)
    }

    /// ``NodeMessenger``.
    func publish(_ message: BusMessage, to node: NodeID) { self.messenger.publish(message, to: node) }
}
