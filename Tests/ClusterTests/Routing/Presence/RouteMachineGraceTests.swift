import Routing
import Testing

@Suite("Presence grace in the route document (LC-8)") struct RouteMachineGraceTests {
    private let a = NodeID(high: 1, low: 0)
    private let b = NodeID(high: 2, low: 0)
    private let now: Int64 = 1_700_000_000_000
    private var machine: RouteMachine { RouteMachine(node: self.a) }
    private var other: RouteMachine { RouteMachine(node: self.b) }

    private func connection(
        _ number: UInt64, client: String = "phone", on node: NodeID? = nil
    ) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: SocketID(node: node ?? self.a, high: number, low: 0), node: node ?? self.a, client: client,
            endpoint: "tab\(number)", since: 0)
    }

    private func leave(_ connection: RouteDocument.Connection, grace: Int64) -> RouteChange {
        .disconnect(connection.socket, node: connection.node, grace: grace)
    }

    private func kinds(_ step: RouteMachine.Step) -> [String] {
        step.transitions.map { "\($0.kind) \($0.client ?? "")" }
    }

    /// Online with these connections, and nothing in the outbox.
    private func online(_ connections: RouteDocument.Connection...) -> RouteDocument {
        let on = self.machine.apply(
            connections.map { .connect($0) }, to: RouteDocument(key: RouteKey(domain: "localhost", user: "alice")),
            now: self.now)
        return self.machine.apply([.acknowledge(through: .max)], to: on.document, now: self.now).document
    }

    private func changes(_ change: (inout GraceChanges) -> Void) -> GraceChanges {
        var changes = GraceChanges()
        change(&changes)
        return changes
    }

    @Test("The last connection leaves with grace: announced until the deadline, live at no time")
    func departs() {
        let socket = self.connection(1)
        let left = self.machine.apply([self.leave(socket, grace: 5_000)], to: self.online(socket), now: self.now)
        #expect(left.transitions == [] && left.document.live == [])
        #expect(left.document.announcedClients == ["phone": self.now + 5_000])
        #expect(left.document.isUserAnnounced && left.document.due == self.now + 5_000 && left.document.expires == nil)
        #expect(left.graces == self.changes { ($0.started, $0.isKept) = (1, true) })

        let early = self.machine.apply([.settle(isOverdue: false)], to: left.document, now: self.now + 4_999)
        #expect(!early.isChanged && !early.needsProof)
        #expect(early.outcomes == [.settled(due: self.now + 5_000)])

        let over = self.machine.apply([.settle(isOverdue: false)], to: left.document, now: self.now + 5_000)
        #expect(self.kinds(over) == ["clientOffline phone", "userOffline "])
        #expect(over.outcomes == [.settled(due: nil)] && over.document.due == nil)
        #expect(over.document.announcedClients == [:] && !over.document.isUserAnnounced)
        #expect(over.graces == self.changes { $0.expired = 1 })
        #expect(over.document.sequence == left.document.sequence + 2)

        let again = self.machine.apply([.settle(isOverdue: false)], to: over.document, now: self.now + 6_000)
        #expect(!again.isChanged && !again.needsProof && again.outcomes == [.settled(due: nil)])
    }

    @Test("A return before the deadline, on any node, announces nothing", arguments: [Int64(1), 4_999, 5_000, 8_000])
    func returns(after delay: Int64) {
        let socket = self.connection(1)
        let left = self.machine.apply([self.leave(socket, grace: 5_000)], to: self.online(socket), now: self.now)
        let back = self.other.apply(
            [.connect(self.connection(2, on: self.b))], to: left.document, now: self.now + delay)
        // Also after it, as long as nobody has announced anything.
        #expect(back.transitions == [] && back.document.due == nil)
        #expect(back.document.announcedClients == ["phone": nil])
        #expect(back.graces == self.changes { $0.returned = 1 })
    }

    @Test("Leaving and coming back in one write, in either order")
    func oneWrite() {
        let (old, new) = (self.connection(1), self.connection(2))
        let reload = self.machine.apply(
            [self.leave(old, grace: 5_000), .connect(new)], to: self.online(old), now: self.now)
        #expect(reload.transitions == [] && reload.document.due == nil)
        let left = self.machine.apply([self.leave(old, grace: 20_000)], to: self.online(old), now: self.now)
        // Came and went while it was waited for: the newest departure counts.
        let visit = self.machine.apply(
            [.connect(new), self.leave(new, grace: 5_000)], to: left.document, now: self.now + 1_000)
        #expect(visit.transitions == [] && visit.document.due == self.now + 6_000)
    }

    @Test("Each client has its own deadline; userOffline comes with the last one")
    func severalClients() {
        let (phone, laptop) = (self.connection(1), self.connection(2, client: "laptop"))
        let first = self.machine.apply([self.leave(phone, grace: 5_000)], to: self.online(phone, laptop), now: self.now)
        #expect(first.document.announcedClients == ["phone": self.now + 5_000, "laptop": nil])
        let second = self.other.apply(
            [.disconnect(laptop.socket, node: self.a, grace: 5_000)], to: first.document, now: self.now + 2_000)
        #expect(second.document.due == self.now + 5_000)
        let one = self.machine.apply([.settle(isOverdue: false)], to: second.document, now: self.now + 5_000)
        #expect(self.kinds(one) == ["clientOffline phone"])
        #expect(one.outcomes == [.settled(due: self.now + 7_000)] && one.document.isUserAnnounced)
        let two = self.machine.apply([.settle(isOverdue: true)], to: one.document, now: self.now + 7_000)
        #expect(self.kinds(two) == ["clientOffline laptop", "userOffline "])
        #expect(two.graces == self.changes { ($0.expired, $0.isOverdue) = (1, true) })
    }

    @Test("Whoever writes announces what is due, behind what waits already")
    func inPassing() {
        let (phone, laptop) = (self.connection(1), self.connection(2, client: "laptop"))
        let left = self.machine.apply([self.leave(phone, grace: 5_000)], to: self.online(phone), now: self.now)
        let step = self.other.apply(
            [.connect(self.connection(2, client: "laptop", on: self.b))], to: left.document, now: self.now + 9_000)
        #expect(self.kinds(step) == ["clientOnline laptop", "clientOffline phone"])
        #expect(step.document.isUserAnnounced && step.document.due == nil)
        let both = self.machine.apply([self.leave(laptop, grace: 1)], to: self.online(phone, laptop), now: self.now)
        let late = self.machine.apply([self.leave(phone, grace: 0)], to: both.document, now: self.now + 1)
        #expect(self.kinds(late) == ["clientOffline laptop", "clientOffline phone", "userOffline "])
    }

    @Test("The last to leave decides: a cut after a loss is offline at once, a loss after a cut is waited for")
    func lastDecides() {
        let (one, two) = (self.connection(1), self.connection(2))
        let cutLast = self.machine.apply(
            [self.leave(one, grace: 5_000), self.leave(two, grace: 0)], to: self.online(one, two), now: self.now)
        #expect(self.kinds(cutLast) == ["clientOffline phone", "userOffline "])
        let lostLast = self.machine.apply(
            [self.leave(one, grace: 0), self.leave(two, grace: 5_000)], to: self.online(one, two), now: self.now)
        #expect(lostLast.transitions == [] && lostLast.document.due == self.now + 5_000)
        // One that is not the last gives none.
        let first = self.machine.apply([self.leave(one, grace: 5_000)], to: self.online(one, two), now: self.now)
        #expect(first.document.due == nil && first.graces == self.changes { $0.isKept = true })
    }

    @Test("Reaping gives no grace, and takes none: neither as a change nor in passing")
    func reaping() {
        let (dead, alive) = (self.connection(1), self.connection(2, client: "laptop", on: self.b))
        let document = self.online(dead, alive)
        let left = self.other.apply(
            [.disconnect(alive.socket, node: self.b, grace: 20_000)], to: document, now: self.now)
        let reaped = self.other.apply([.reap(self.a)], to: left.document, now: self.now + 10_000)
        #expect(self.kinds(reaped) == ["clientOffline phone"])
        #expect(reaped.document.announcedClients == ["laptop": self.now + 20_000])
        let passing = self.other.apply([], to: left.document, now: self.now + 10_000, claimed: [self.a])
        #expect(self.kinds(passing) == ["clientOffline phone"])
    }

    @Test("Kick and logout end a grace that runs, of one client or of all; without one there is nothing to write")
    func forget() {
        let (phone, laptop) = (self.connection(1), self.connection(2, client: "laptop"))
        let left = self.machine.apply(
            [self.leave(phone, grace: 5_000), self.leave(laptop, grace: 5_000)], to: self.online(phone, laptop),
            now: self.now)
        let one = self.other.apply([.forget(client: "phone")], to: left.document, now: self.now + 1)
        #expect(self.kinds(one) == ["clientOffline phone"] && one.document.due == self.now + 5_000)
        #expect(one.graces == self.changes { $0.cut = 1 })
        let all = self.other.apply([.forget(client: nil)], to: left.document, now: self.now + 1)
        #expect(self.kinds(all) == ["clientOffline laptop", "clientOffline phone", "userOffline "])
        let live = self.other.apply([.forget(client: nil)], to: self.online(phone), now: self.now + 1)
        #expect(!live.isChanged && !live.needsProof)
    }

    @Test("LC-2: a departure applied again wants proof, keeps its deadline, and its node the job")
    func again() {
        let socket = self.connection(1)
        let left = self.machine.apply([self.leave(socket, grace: 5_000)], to: self.online(socket), now: self.now)
        let again = self.machine.apply([self.leave(socket, grace: 5_000)], to: left.document, now: self.now + 2_000)
        #expect(again.needsProof && !again.isChanged && again.document.version == left.document.version + 1)
        #expect(again.document.due == self.now + 5_000 && again.graces == self.changes { $0.isKept = true })
    }

    @Test("A user that comes as ever new clients is bounded: the one whose time is up first goes early")
    func bounded() {
        let machine = RouteMachine(node: self.a, limits: RouteLimits(graces: 3))
        let sockets = (0..<5).map { self.connection(UInt64($0), client: "client\($0)") }
        var document = machine.apply(
            sockets.map { .connect($0) }, to: RouteDocument(key: RouteKey(domain: "d", user: "u")), now: self.now
        ).document
        var kinds: [String] = []
        for (index, socket) in sockets.enumerated() {
            let step = machine.apply(
                [self.leave(socket, grace: 5_000)], to: document, now: self.now + Int64(index))
            kinds += self.kinds(step)
            document = step.document
        }
        #expect(kinds == ["clientOffline client0", "clientOffline client1"])
        #expect(document.announcedClients.count == 3 && document.isUserAnnounced)
    }

    @Test("LC-1: a route in grace does not expire, one that was settled does")
    func expiry() {
        let socket = self.connection(1)
        let left = self.machine.apply([self.leave(socket, grace: 5_000)], to: self.online(socket), now: self.now)
        #expect(left.document.expires == nil)
        let over = self.machine.apply([.settle(isOverdue: false)], to: left.document, now: self.now + 5_000)
        let done = self.machine.apply([.acknowledge(through: .max)], to: over.document, now: self.now + 5_000)
        #expect(done.document.expires == self.now + 5_000 + RouteMachine.emptyLifespan)
    }
}
