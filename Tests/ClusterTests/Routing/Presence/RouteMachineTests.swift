import Routing
import Testing

@Suite("Route document transitions") struct RouteMachineTests {
    private let a = NodeID(high: 1, low: 0)
    private let b = NodeID(high: 2, low: 0)
    private let empty = RouteDocument(key: RouteKey(domain: "localhost", user: "alice"))
    private let now: Int64 = 1_700_000_000_000

    private func connection(
        _ number: UInt64, on node: NodeID, client: String = "phone", endpoint: String? = nil
    ) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: SocketID(node: node, high: number, low: 0), node: node, client: client,
            endpoint: endpoint ?? "tab\(number)", since: 0)
    }

    private func kinds(_ step: RouteMachine.Step) -> [String] {
        step.transitions.map { "\($0.kind) \($0.client ?? "")" }
    }

    @Test("LC-3: userOnline before its first clientOnline, the last clientOffline before userOffline, always both")
    func order() {
        let machine = RouteMachine(node: self.a)
        let sockets = [self.connection(1, on: self.a), self.connection(2, on: self.a, client: "laptop")]
        let on = machine.apply(sockets.map { .connect($0) }, to: self.empty, now: self.now)
        #expect(self.kinds(on) == ["userOnline ", "clientOnline laptop", "clientOnline phone"])
        let off = machine.apply(
            sockets.map { .disconnect($0.socket, node: self.a) }, to: on.document, now: self.now)
        #expect(self.kinds(off) == ["clientOffline laptop", "clientOffline phone", "userOffline "])
        #expect(off.document.outbox == on.transitions + off.transitions)
        #expect(off.document.outbox.map(\.sequence) == (1...6).map { (self.now / 1000) << 20 + $0 })
        #expect(off.document.version == 2)
    }

    @Test("LC-1: adding a present SID and removing an absent one change nothing; the latter wants proof")
    func idempotence() {
        let machine = RouteMachine(node: self.a)
        let socket = self.connection(1, on: self.a)
        let first = machine.apply([.connect(socket)], to: self.empty, now: self.now)
        #expect(first.isChanged)
        let again = machine.apply([.connect(socket)], to: first.document, now: self.now)
        #expect(!again.isChanged && !again.needsProof && again.outcomes == [.connected(superseded: [])])
        let absent = SocketID(node: self.a, high: 9, low: 0)
        for change: RouteChange in [.disconnect(absent, node: self.a), .disconnect(socket.socket, node: self.b)] {
            let step = machine.apply([change], to: first.document, now: self.now)
            #expect(!step.isChanged && step.needsProof && step.transitions == [])
            // LC-2's last sentence: the version is there to be raised.
            #expect(step.document.version == first.document.version + 1)
            #expect(step.document.live == first.document.live)
        }
        let acknowledged = machine.apply([.acknowledge(through: .max)], to: first.document, now: self.now).document
        #expect(machine.apply([.acknowledge(through: .max)], to: acknowledged, now: self.now).needsProof)
        #expect(machine.apply([.reap(self.b)], to: acknowledged, now: self.now).needsProof)
    }

    @Test("LC-4: opposite changes in one write cancel out")
    func opposites() {
        let socket = self.connection(1, on: self.a)
        let step = RouteMachine(node: self.a).apply(
            [.connect(socket), .disconnect(socket.socket, node: self.a)], to: self.empty, now: self.now)
        #expect(!step.isChanged && step.transitions == [] && step.document.live == [])
    }

    @Test("LC-3: behind earlier transitions the owner is theirs; into an empty outbox it is who commits")
    func owner() {
        let first = RouteMachine(node: self.a).apply(
            [.connect(self.connection(1, on: self.a))], to: self.empty, now: self.now)
        let second = RouteMachine(node: self.b).apply(
            [.connect(self.connection(2, on: self.b, client: "laptop"))], to: first.document, now: self.now)
        #expect(second.transitions.map(\.owner) == [self.a])
        // Who does not own them cannot acknowledge them.
        let foreign = RouteMachine(node: self.b).apply(
            [.acknowledge(through: .max)], to: second.document, now: self.now)
        #expect(foreign.document.outbox.count == 3)
        let some = RouteMachine(node: self.a).apply(
            [.acknowledge(through: first.document.sequence)], to: second.document, now: self.now)
        #expect(some.document.outbox == second.transitions)
        let all = RouteMachine(node: self.a).apply(
            [.acknowledge(through: .max)], to: second.document, now: self.now)
        let third = RouteMachine(node: self.b).apply(
            [.disconnect(SocketID(node: self.b, high: 2, low: 0), node: self.b)], to: all.document, now: self.now)
        #expect(third.transitions.map(\.owner) == [self.b])
    }

    @Test("ND-4: reaping removes the connections and takes over the outbox; any writer does it in passing")
    func reaping() {
        let first = RouteMachine(node: self.a).apply(
            [.connect(self.connection(1, on: self.a))], to: self.empty, now: self.now)
        let reaped = RouteMachine(node: self.b).apply([.reap(self.a)], to: first.document, now: self.now)
        #expect(reaped.document.live == [])
        #expect(self.kinds(reaped) == ["clientOffline phone", "userOffline "])
        #expect(reaped.document.outbox.map(\.owner) == [self.b, self.b, self.b, self.b])
        #expect(reaped.document.outbox.map(\.sequence) == (1...4).map { (self.now / 1000) << 20 + $0 })

        let passing = RouteMachine(node: self.b).apply(
            [.connect(self.connection(2, on: self.b))], to: first.document, now: self.now, claimed: [self.a])
        #expect(passing.document.live.map(\.node) == [self.b])
        // The client never went away: nothing is announced.
        #expect(passing.transitions == [])
        #expect(passing.document.outbox.allSatisfy { $0.owner == self.b })
    }

    @Test("LC-6: an endpoint presented anew supersedes its older SID, only for the same client; a moved SID too")
    func supersession() {
        let machine = RouteMachine(node: self.b)
        let old = self.connection(1, on: self.a, endpoint: "tab")
        let other = self.connection(2, on: self.a, client: "laptop", endpoint: "tab")
        let before = RouteMachine(node: self.a).apply([.connect(old), .connect(other)], to: self.empty, now: self.now)
        let new = self.connection(3, on: self.b, endpoint: "tab")
        let step = machine.apply([.connect(new)], to: before.document, now: self.now)
        #expect(step.outcomes == [.connected(superseded: [old])])
        #expect(step.document.live == [other, new])
        #expect(step.transitions == [])

        var moved = new
        moved.node = self.a
        let move = RouteMachine(node: self.a).apply([.connect(moved)], to: step.document, now: self.now)
        #expect(move.outcomes == [.connected(superseded: [new])])
        #expect(move.document.live == [other, moved])
        // The former owner's late removal does not reach it.
        let late = machine.apply([.disconnect(new.socket, node: self.b)], to: move.document, now: self.now)
        #expect(late.document.live == [other, moved])
    }

    @Test("LC-2, LC-6: changes that are applied again name nobody as superseded who stays")
    func reapplied() {
        let machine = RouteMachine(node: self.a)
        let changes: [RouteChange] = [1, 2].map { .connect(self.connection($0, on: self.a, endpoint: "tab")) }
        let first = machine.apply(changes, to: self.empty, now: self.now)
        let second = machine.apply(changes, to: first.document, now: self.now)
        #expect(second.document.live == first.document.live)
        #expect(second.outcomes[0] == .connected(superseded: []))
    }

    @Test("LC-9: 64 connections per client, 256 per user; dead ones and one's own old SID do not count")
    func limits() {
        let machine = RouteMachine(node: self.a)
        let full = machine.apply(
            (0..<65).map { .connect(self.connection($0, on: self.a)) }, to: self.empty, now: self.now)
        #expect(full.document.live.count == 64)
        #expect(full.outcomes.last == .refused(.client))
        let again = machine.apply(
            [.connect(self.connection(100, on: self.a, endpoint: "tab0"))], to: full.document, now: self.now)
        #expect(again.document.live.count == 64 && again.outcomes != [.refused(.client)])
        let others = (0..<193).map { self.connection(200 + $0, on: self.a, client: "c\($0 % 7)") }
        let user = machine.apply(others.map { .connect($0) }, to: full.document, now: self.now)
        #expect(user.document.live.count == 256)
        #expect(user.outcomes.last == .refused(.user))
        let rescued = RouteMachine(node: self.b).apply(
            [.connect(self.connection(900, on: self.b))], to: user.document, now: self.now, claimed: [self.a])
        #expect(rescued.document.live.count == 1)
        let flapped = RouteMachine(node: self.a, limits: RouteLimits(outbox: 2)).apply(
            [.connect(self.connection(901, on: self.a, client: "late"))], to: full.document, now: self.now)
        #expect(flapped.outcomes == [.refused(.outbox)])
    }

    @Test("LC-1: what holds nothing goes after 30 days; `seq` never falls back")
    func expiry() {
        let machine = RouteMachine(node: self.a)
        let socket = self.connection(1, on: self.a)
        let on = machine.apply([.connect(socket)], to: self.empty, now: self.now).document
        #expect(on.expires == nil)
        let off = machine.apply([.disconnect(socket.socket, node: self.a)], to: on, now: self.now).document
        #expect(off.expires == nil)
        let done = machine.apply([.acknowledge(through: .max)], to: off, now: self.now + 5).document
        #expect(done.expires == self.now + 5 + 30 * 24 * 3_600_000)
        #expect(done.sequence == off.sequence)
        let later = self.now + 31 * 24 * 3_600_000
        let fresh = machine.apply([.connect(socket)], to: self.empty, now: later)
        #expect(fresh.transitions[0].sequence > done.sequence)
        // An empty document of no use is not made…
        let nothing = machine.apply([], to: self.empty, now: self.now)
        #expect(!nothing.isChanged)
        // … but can be, to keep a late first insert out.
        #expect(nothing.document.version == 1 && nothing.document.expires != nil)
    }
}
