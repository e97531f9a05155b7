import Routing
import Testing
import Wire

@Suite("Link hints in the route document (LC-1, LK-13, LK-15)") struct RouteMachineLinkTests {
    private let a = NodeID(high: 1, low: 0)
    private let b = NodeID(high: 2, low: 0)
    private let now: Int64 = 1_700_000_000_000
    private let key = LinkKey(high: 1, low: 1)
    private var machine: RouteMachine { RouteMachine(node: self.a, limits: RouteLimits(links: 2)) }

    private func connection(_ number: UInt64, client: String = "phone") -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: SocketID(node: self.a, high: number, low: 0), node: self.a, client: client,
            endpoint: "tab\(number)", since: 0, takesRosters: true)
    }

    private func hint(_ generation: Int64 = 1, client: String? = nil) -> LinkHint {
        LinkHint(key: self.key, generation: generation, client: client)
    }

    private func leave(_ connection: RouteDocument.Connection, _ links: LinkDeparture) -> RouteChange {
        .disconnect(connection.socket, node: connection.node, links: links)
    }

    /// On line with these connections, and linked.
    private func linked(
        _ hint: LinkHint? = nil, _ connections: RouteDocument.Connection...
    ) -> RouteDocument {
        let on = self.machine.apply(
            connections.map { .connect($0) } + [.link(hint ?? self.hint())],
            to: RouteDocument(key: RouteKey(domain: "localhost", user: "alice")), now: self.now)
        return self.machine.apply([.acknowledge(through: .max)], to: on.document, now: self.now).document
    }

    @Test("LK-15: a hint is taken while the party is live, and says so where it is not")
    func links() {
        let document = self.linked(nil, self.connection(1))
        #expect(document.links == [self.hint()] && document.due == nil)
        let empty = self.machine.apply(
            [.link(self.hint())], to: RouteDocument(key: document.key), now: self.now)
        #expect(empty.outcomes == [.linked(isLive: false)] && empty.document.links == [])
        let other = self.machine.apply([.link(self.hint(client: "laptop"))], to: document, now: self.now)
        #expect(other.outcomes == [.linked(isLive: false)] && !other.isChanged)
    }

    @Test("A hint is raised, never lowered, and removed by nothing older")
    func generations() {
        let document = self.linked(self.hint(5), self.connection(1))
        #expect(self.machine.apply([.link(self.hint(7))], to: document, now: self.now).document.links == [self.hint(7)])
        #expect(self.machine.apply([.link(self.hint(3))], to: document, now: self.now).document.links == [self.hint(5)])
        let older = self.machine.apply([.unlink(self.key, through: 4)], to: document, now: self.now)
        #expect(older.document.links == [self.hint(5)] && older.needsProof)
        #expect(self.machine.apply([.unlink(self.key, through: 5)], to: document, now: self.now).document.links == [])
    }

    @Test("LC-1: beyond the limit a Link is refused")
    func limit() {
        var document = self.linked(nil, self.connection(1))
        for number in 2...3 as ClosedRange<UInt64> {
            let step = self.machine.apply(
                [.link(LinkHint(key: LinkKey(high: 1, low: number), generation: 1, client: nil))], to: document,
                now: self.now)
            #expect(step.outcomes == [number == 2 ? .linked(isLive: true) : .refused(.links)])
            document = step.document
        }
    }

    @Test("LK-13: the last connection leaves with grace; a return in time clears the deadline")
    func graceAndReturn() {
        let (one, two) = (self.connection(1), self.connection(2))
        let document = self.linked(nil, one, two)
        let first = self.machine.apply([self.leave(one, .grace(10_000))], to: document, now: self.now)
        #expect(first.document.links == [self.hint()] && first.links.departures.map(\.socket) == [one.socket])
        let last = self.machine.apply([self.leave(two, .grace(10_000))], to: first.document, now: self.now)
        #expect(last.document.links.map(\.due) == [self.now + 10_000] && last.document.due == self.now + 10_000)
        #expect(last.links.closings == [] && last.graces.isKept && last.document.expires == nil)
        let back = self.machine.apply([.connect(self.connection(3))], to: last.document, now: self.now + 9_000)
        #expect(back.document.links == [self.hint()] && back.document.due == nil)
        #expect(back.links.arrivals.map(\.socket) == [self.connection(3).socket])
    }

    @Test("LK-13: over time, only who settles closes; the deadline comes again while the hint is there")
    func settles() {
        let one = self.connection(1)
        let left = self.machine.apply([self.leave(one, .grace(10_000))], to: self.linked(nil, one), now: self.now)
        let due = self.now + 10_000
        let other = self.machine.apply([.acknowledge(through: .max)], to: left.document, now: due)
        #expect(other.links.closings == [])
        let settled = self.machine.apply([.settle(isOverdue: false)], to: left.document, now: due)
        #expect(settled.links.closings == [LinkHint(key: self.key, generation: 1, client: nil, due: due)])
        #expect(settled.outcomes == [.settled(due: due + RouteMachine.closingPatience)])
        let again = self.machine.apply([.settle(isOverdue: true)], to: settled.document, now: due + 5_000)
        #expect(again.links.closings.map(\.key) == [self.key])
    }

    @Test(
        "LK-13: kick and logout close at once, a device's party by its own last connection",
        arguments: [
            (LinkDeparture.close(.kick), LinkCloseReason.kick), (.close(.logout), .logout), (.grace(0), .offline),
        ])
    func atOnce(departure: LinkDeparture, reason: LinkCloseReason) {
        let (phone, laptop) = (self.connection(1), self.connection(2, client: "laptop"))
        let document = self.linked(self.hint(client: "phone"), phone, laptop)
        let step = self.machine.apply([self.leave(phone, departure)], to: document, now: self.now)
        #expect(step.links.closings.map(\.reason) == [reason] && step.links.closings.map(\.client) == ["phone"])
        #expect(step.document.due == self.now + RouteMachine.closingPatience)
        let user = self.machine.apply(
            [self.leave(phone, departure)], to: self.linked(nil, phone, laptop), now: self.now)
        #expect(user.links.closings == [] && user.document.links == [self.hint()])
    }

    @Test("LK-13: who is kicked while waited for is not waited for")
    func forgets() {
        let one = self.connection(1)
        let left = self.machine.apply([self.leave(one, .grace(10_000))], to: self.linked(nil, one), now: self.now)
        let kicked = self.machine.apply([.forget(client: nil, links: .kick)], to: left.document, now: self.now + 1)
        #expect(kicked.links.closings.map(\.reason) == [.kick])
        let device = self.machine.apply([.forget(client: "phone", links: .kick)], to: left.document, now: self.now + 1)
        #expect(device.links.closings == [] && !device.isChanged)
    }

    @Test("ND-4, LK-13: what a dead node had waits like all that is lost, or is closed at once where nothing waits")
    func reaps() {
        let document = self.linked(nil, self.connection(1))
        let step = RouteMachine(node: self.b).apply([.reap(self.a)], to: document, now: self.now)
        #expect(step.links.closings.map(\.reason) == [.offline])

        let machine = RouteMachine(node: self.b, linkGrace: 10_000)
        let reaped = machine.apply([.reap(self.a)], to: document, now: self.now)
        #expect(reaped.links.closings.isEmpty)
        #expect(reaped.document.due == self.now + 10_000)
        // The node that reaps keeps the deadline.
        #expect(reaped.graces.isKept)
        // A write of somebody else's finds the claim first: the same.
        let other = machine.apply([.settle(isOverdue: false)], to: document, now: self.now, claimed: [self.a])
        #expect(other.document.due == self.now + 10_000)
        let settled = machine.apply([.settle(isOverdue: false)], to: reaped.document, now: self.now + 10_000)
        #expect(settled.links.closings.map(\.key) == [self.key])
    }
}
