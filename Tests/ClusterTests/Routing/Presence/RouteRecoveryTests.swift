import Testing

@testable import Routing

/// Recovery in the route document (SOCKETIO §14.2, §14.3; SPEC LC-2, LC-6).
@Suite("Route document: recovery") struct RouteRecoveryTests {
    private let a = NodeID(high: 1, low: 0)
    private let b = NodeID(high: 2, low: 0)
    private let empty = RouteDocument(key: RouteKey(domain: "localhost", user: "alice"))
    private let now: Int64 = 1_700_000_000_000
    private let window: Int64 = 120_000

    private func machine(_ node: NodeID, limits: RouteLimits = RouteLimits()) -> RouteMachine {
        RouteMachine(node: node, limits: limits, recovery: RouteRecovery(window: self.window) { _ in "rs0" })
    }

    private func pid(_ number: UInt64) -> PrivateIDHash { PrivateIDHash(high: 7, low: number) }

    private func connection(
        _ number: UInt64, on node: NodeID, client: String = "phone", endpoint: String? = nil
    ) -> RouteDocument.Connection {
        RouteDocument.Connection(
            socket: SocketID(node: node, high: 0, low: number * 2), node: node, client: client,
            endpoint: endpoint ?? "tab\(number)", since: 0, recovery: .init(pid: self.pid(number)))
    }

    private func recovered(_ step: RouteMachine.Step) throws -> RecoveredConnection {
        guard case .recovered(let recovered) = try #require(step.outcomes.first) else {
            Issue.record("not recovered: \(step.outcomes)")
            throw StoreError(.rejected, operation: "test", message: "")
        }
        return recovered
    }

    @Test("A recoverable connection has its base, and the document a place for the log")
    func base() {
        let first = self.machine(self.a).apply(
            [.connect(self.connection(1, on: self.a))], to: self.empty, now: self.now)
        #expect(first.document.live.map(\.recovery?.base) == [1])
        #expect(first.document.logPlace == "rs0")
        let second = RouteMachine(
            node: self.b, recovery: RouteRecovery(window: self.window) { _ in "other" }
        ).apply([.connect(self.connection(2, on: self.b))], to: first.document, now: self.now)
        #expect(second.document.live.map(\.recovery?.base) == [1, 2])
        #expect(second.document.logPlace == "rs0")
        let off = RouteMachine(node: self.a).apply(
            [.connect(self.connection(1, on: self.a))], to: self.empty, now: self.now)
        #expect(off.document.live.map(\.recovery) == [nil])
        #expect(off.document.logPlace == nil)
    }

    @Test("§14.2: rooms are in the route before anybody is lost, and come back with the time of the first connect")
    func rooms() throws {
        var socket = self.connection(1, on: self.a)
        socket.since = self.now - 7
        var document = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        func set(_ rooms: [String], _ socket: SocketID, on node: NodeID) -> RouteMachine.Step {
            self.machine(node).apply([.setRooms(rooms, of: socket, node: node)], to: document, now: self.now)
        }
        document = set(["x", "y"], socket.socket, on: self.a).document
        document = set(["y"], socket.socket, on: self.a).document
        #expect(document.live.map(\.recovery?.rooms) == [["y"]])
        // The same again is written all the same: what was read may be old.
        #expect(set(["y"], socket.socket, on: self.a).needsProof)
        for lost in [
            RouteChange.disconnect(socket.socket, node: self.a), .reap(self.a), .acknowledge(through: 0),
        ] {
            let left = self.machine(self.b).apply([lost], to: document, now: self.now).document
            let back = self.connection(2, on: self.b)
            let step = self.machine(self.b).apply([.recover(self.pid(1), back)], to: left, now: self.now)
            let recovered = try self.recovered(step)
            #expect(recovered.rooms == ["y"] && recovered.first == self.now - 7)
            #expect(step.document.live.map(\.recovery?.rooms) == [["y"]])
            // The one that lost it changes nothing any more; the one that has it does.
            document = step.document
            #expect(set([], socket.socket, on: self.a).document.live == step.document.live)
            #expect(set(["z"], back.socket, on: self.b).document.live.map(\.recovery?.rooms) == [["z"]])
            let again = self.machine(self.b).apply([.recover(self.pid(1), back)], to: step.document, now: self.now)
            #expect(try self.recovered(again).rooms == ["y"])
            document = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
            document = set(["y"], socket.socket, on: self.a).document
        }
    }

    @Test(
        "§14.1.6: with more rooms than are kept a connection is not recoverable, whatever becomes of its rooms",
        arguments: [
            ((0...RouteRecovery.roomLimit).map { "r\($0)" }, false),
            ((1...RouteRecovery.roomLimit).map { "r\($0)" }, true),
            (Array(repeating: String(repeating: "é", count: 128), count: 32), true),
            (Array(repeating: String(repeating: "é", count: 128), count: 33), false),
        ])
    func roomLimits(rooms: [String], isTaken: Bool) {
        let socket = self.connection(1, on: self.a)
        var document = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        for rooms in [rooms, ["few"]] {
            document =
                self.machine(self.a).apply(
                    [.setRooms(rooms, of: socket.socket, node: self.a)], to: document, now: self.now
                ).document
        }
        #expect((document.live[0].recovery?.pid != nil) == isTaken)
        #expect(document.live[0].recovery?.rooms == (isTaken ? ["few"] : []))
        let left = self.machine(self.a).apply(
            [.disconnect(socket.socket, node: self.a)], to: document, now: self.now
        ).document
        #expect(left.away.isEmpty == !isTaken)
    }

    @Test("§14.2: a lost connection is away for the window, without presence; one that ended for good leaves nothing")
    func away() {
        let socket = self.connection(1, on: self.a)
        let on = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        let lost = self.machine(self.a).apply(
            [.disconnect(socket.socket, node: self.a)], to: on, now: self.now
        ).document
        #expect(lost.live.isEmpty && !lost.isUserAnnounced)
        #expect(lost.away.map(\.until) == [self.now + self.window])
        #expect(lost.away.map(\.pid) == [self.pid(1)])
        let ended = self.machine(self.a).apply(
            [.disconnect(socket.socket, node: self.a, isFinal: true)], to: on, now: self.now
        ).document
        #expect(ended.away.isEmpty)
        // Whatever is written next removes what has expired.
        let later = self.machine(self.b).apply(
            [.acknowledge(through: 0)], to: lost, now: self.now + self.window
        ).document
        #expect(later.away.isEmpty)
        let reaped = self.machine(self.b).apply([.reap(self.a)], to: on, now: self.now).document
        #expect(reaped.away.map(\.socket) == [socket.socket])
        let swept = self.machine(self.b).apply(
            [.connect(self.connection(2, on: self.b))], to: on, now: self.now, claimed: [self.a]
        ).document
        #expect(swept.away.map(\.socket) == [socket.socket])
    }

    @Test("§14.3: at most 64 are away; the oldest go")
    func limit() {
        var document = self.empty
        for number in 1...UInt64(RouteRecovery.awayLimit + 3) {
            let socket = self.connection(number, on: self.a)
            document = self.machine(self.a).apply([.connect(socket)], to: document, now: self.now).document
            document =
                self.machine(self.a).apply(
                    [.disconnect(socket.socket, node: self.a)], to: document, now: self.now + Int64(number)
                ).document
        }
        #expect(document.away.count == RouteRecovery.awayLimit)
        #expect(document.away.map(\.until).min() == self.now + self.window + 4)
    }

    @Test("§14.1.5: who comes back in time keeps SID and base, on another node too, and is taken once")
    func takes() throws {
        let socket = self.connection(1, on: self.a)
        var document = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        document =
            self.machine(self.a).apply(
                [.disconnect(socket.socket, node: self.a)], to: document, now: self.now + 1
            ).document
        let prepared = self.connection(2, on: self.b)
        let step = self.machine(self.b).apply(
            [.recover(self.pid(1), prepared)], to: document, now: self.now + self.window)
        let recovered = try self.recovered(step)
        #expect(
            recovered
                == RecoveredConnection(
                    socket: socket.socket, base: 1, since: self.now + 1, logPlace: "rs0", first: 0, rooms: [],
                    superseded: []))
        #expect(step.document.away.isEmpty)
        #expect(step.document.live.map(\.socket) == [socket.socket])
        #expect(step.document.live.map(\.node) == [self.b])
        #expect(step.document.live.map(\.recovery?.pid) == [self.pid(1)])
        #expect(step.transitions.map(\.kind) == [.userOnline, .clientOnline])
        #expect(step.document.live[0].isHeld(by: prepared.socket))
        #expect(!step.document.live[0].isHeld(by: socket.socket))
        // The one that lost it is late with its removal, on whatever node.
        for node in [self.a, self.b] {
            let late = self.machine(node).apply(
                [.disconnect(socket.socket, node: node)], to: step.document, now: self.now)
            #expect(late.document.live == step.document.live && late.needsProof)
        }
        let gone = self.machine(self.b).apply(
            [.disconnect(prepared.socket, node: self.b)], to: step.document, now: self.now)
        #expect(gone.document.live.isEmpty)
        #expect(gone.document.away.map(\.socket) == [socket.socket])
        #expect(gone.document.away.map(\.base) == [1])
    }

    @Test("§14.1.6: too late, unknown, or another client's: a new connection in the same step")
    func refused() {
        let socket = self.connection(1, on: self.a)
        var document = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        document =
            self.machine(self.a).apply(
                [.disconnect(socket.socket, node: self.a)], to: document, now: self.now
            ).document
        let prepared = self.connection(2, on: self.b)
        let foreign = self.connection(2, on: self.b, client: "laptop")
        for (pid, connection, time) in [
            (self.pid(1), prepared, self.now + self.window), (self.pid(9), prepared, self.now),
            (self.pid(1), foreign, self.now),
        ] {
            let step = self.machine(self.b).apply([.recover(pid, connection)], to: document, now: time)
            #expect(step.outcomes == [.connected(superseded: [])])
            #expect(step.document.live.map(\.socket) == [connection.socket])
            #expect(step.document.live.map(\.recovery?.base) == [step.document.version])
            #expect(step.document.live.map(\.recovery?.pid) == [self.pid(2)])
        }
        let off = RouteMachine(node: self.b).apply([.recover(self.pid(1), prepared)], to: document, now: self.now)
        #expect(off.outcomes == [.connected(superseded: [])])
    }

    @Test("§14.3, fast reconnect: a connection whose loss nobody noticed gives way, on the same node too")
    func evicts() throws {
        let socket = self.connection(1, on: self.a)
        let on = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        for node in [self.a, self.b] {
            let prepared = self.connection(2, on: node)
            let step = self.machine(node).apply([.recover(self.pid(1), prepared)], to: on, now: self.now)
            let recovered = try self.recovered(step)
            #expect(recovered.superseded.map(\.socket) == [socket.socket])
            #expect(recovered.superseded.allSatisfy { $0.isHeld(by: socket.socket) })
            #expect(recovered.superseded.allSatisfy { !$0.isHeld(by: prepared.socket) })
            #expect(recovered.since == self.now - self.window)
            #expect(step.document.live.count == 1)
            #expect(step.transitions.isEmpty)
            // Presented twice: the binding moves, there are never two (§14.3).
            let third = self.connection(3, on: node)
            let again = self.machine(node).apply([.recover(self.pid(1), third)], to: step.document, now: self.now)
            #expect(try self.recovered(again).superseded.map { $0.isHeld(by: prepared.socket) } == [true])
            #expect(again.document.live.count == 1 && again.document.live[0].isHeld(by: third.socket))
        }
    }

    @Test("LC-2: applied again after an unknown outcome, a recovery tells the same")
    func again() throws {
        let socket = self.connection(1, on: self.a)
        let on = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        let prepared = self.connection(2, on: self.b)
        let first = self.machine(self.b).apply([.recover(self.pid(1), prepared)], to: on, now: self.now)
        let second = self.machine(self.b).apply(
            [.recover(self.pid(1), prepared)], to: first.document, now: self.now)
        #expect(second.document.live == first.document.live && !second.isChanged)
        var expected = try self.recovered(first)
        expected.superseded = []
        #expect(try self.recovered(second) == expected)
        let anew = self.machine(self.b).apply([.recover(self.pid(9), prepared)], to: self.empty, now: self.now)
        let twice = self.machine(self.b).apply(
            [.recover(self.pid(9), prepared)], to: anew.document, now: self.now)
        #expect(twice.outcomes == [.connected(superseded: [])] && !twice.isChanged)
    }

    @Test(
        "§14.1.6: where history is incomplete, a new connection takes the place of the recovered one; applied twice, it stays"
    )
    func renews() throws {
        let socket = self.connection(1, on: self.a)
        let on = self.machine(self.a).apply([.connect(socket)], to: self.empty, now: self.now).document
        let prepared = self.connection(2, on: self.b)
        let taken = self.machine(self.b).apply(
            [.recover(self.pid(1), prepared)], to: on, now: self.now
        ).document
        let anew = self.machine(self.b).apply([.renew(prepared)], to: taken, now: self.now)
        #expect(anew.outcomes == [.connected(superseded: [])])
        #expect(anew.document.live.map(\.socket) == [prepared.socket])
        #expect(anew.document.live.map(\.recovery) == [.init(pid: self.pid(2), base: 3)])
        #expect(anew.document.away.isEmpty && anew.transitions.isEmpty)
        let again = self.machine(self.b).apply([.renew(prepared)], to: anew.document, now: self.now).document
        #expect(again.live.map(\.socket) == [prepared.socket])
        let gone = self.machine(self.b).apply(
            [.renew(prepared), .disconnect(prepared.socket, node: self.b)], to: taken, now: self.now
        ).document
        #expect(gone.live.isEmpty && gone.away.map(\.socket) == [prepared.socket])
    }

    @Test("LC-9: the limits hold for those who come back, and the one that is replaced does not count")
    func limits() throws {
        let (one, two) = (self.connection(1, on: self.a), self.connection(2, on: self.a))
        let limits = RouteLimits(perClient: 1, perUser: 2)
        var document = self.machine(self.a).apply([.connect(one)], to: self.empty, now: self.now).document
        let back = self.machine(self.a, limits: limits).apply(
            [.recover(self.pid(1), self.connection(3, on: self.a))], to: document, now: self.now)
        #expect(try self.recovered(back).socket == one.socket)
        document =
            self.machine(self.a).apply(
                [.disconnect(one.socket, node: self.a), .connect(two)], to: document, now: self.now
            ).document
        let refused = self.machine(self.a, limits: limits).apply(
            [.recover(self.pid(1), self.connection(3, on: self.a))], to: document, now: self.now)
        #expect(refused.outcomes == [.refused(.client)])
        #expect(refused.document.away.count == 1)
    }

    @Test("ID-14: what was kicked is not recoverable, be it away, there, or on a dead node; other clients are")
    func forgets() throws {
        let sockets = [
            self.connection(1, on: self.a), self.connection(2, on: self.a),
            self.connection(3, on: self.a, client: "laptop"),
        ]
        var document = self.machine(self.a).apply(sockets.map { .connect($0) }, to: self.empty, now: self.now).document
        document =
            self.machine(self.a).apply(
                [.disconnect(sockets[0].socket, node: self.a)], to: document, now: self.now
            ).document
        let step = self.machine(self.b).apply([.forget(client: "phone")], to: document, now: self.now)
        #expect(step.isChanged && step.document.away.isEmpty)
        #expect(step.document.live.map(\.recovery?.pid) == [nil, self.pid(3)])
        let reaped = self.machine(self.b).apply([.reap(self.a)], to: step.document, now: self.now).document
        #expect(reaped.away.map(\.pid) == [self.pid(3)])
        let all = self.machine(self.b).apply([.forget(client: nil)], to: reaped, now: self.now)
        #expect(all.document.away.isEmpty)
        #expect(self.machine(self.b).apply([.forget(client: nil)], to: all.document, now: self.now).needsProof)
    }

    @Test("LC-6: a page that comes as a new connection leaves nothing of its old one")
    func endpoint() {
        let old = self.connection(1, on: self.a, endpoint: "page")
        var document = self.machine(self.a).apply([.connect(old)], to: self.empty, now: self.now).document
        document =
            self.machine(self.a).apply(
                [.disconnect(old.socket, node: self.a)], to: document, now: self.now
            ).document
        let anew = self.machine(self.b).apply(
            [.connect(self.connection(2, on: self.b, endpoint: "page"))], to: document, now: self.now)
        #expect(anew.document.away.isEmpty)
    }
}
